"""The model as it was found, and as the passes leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tfmobile.graph.model import Array, Graph


@dataclass(frozen=True)
class SourceModel:
    """What ``load`` found in a file or folder. Exactly one of ``graph`` and ``tflite`` is set.

    ``format`` is one of: frozen-graph, saved-model, keras3, keras2, checkpoint, tflite. ``notes`` are sentences for the
    user: guessed inputs, dropped nodes, fixed dimensions.
    """

    path: str
    format: str
    summary: str
    sha256: str
    size_bytes: int
    graph: Graph | None = None
    tflite: bytes | None = None
    signature: str | None = None
    signatures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FeedChange:
    """How an input changed what it takes: ``forward`` makes its new feed of an old one, ``back`` the old of a new."""

    forward: Callable[[Array], Array]
    back: Callable[[Array], Array]


@dataclass(frozen=True)
class PassResult:
    """``changed``: one sentence a rewrite done; ``skipped``: one sentence a candidate left alone, with the reason.

    ``feeds``: the inputs, by key, that take something else than before (another layout, pixels).
    """

    graph: Graph
    changed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    feeds: Mapping[str, FeedChange] = field(default_factory=dict)


@dataclass(frozen=True)
class RewriteStep:
    """One pass, applied and verified on ``samples`` sample inputs against the original graph.

    ``max_abs`` and ``max_rel`` are the largest difference over all outputs (``max_rel`` relative to the largest
    absolute value of the output); None when it could not be measured, then ``reason`` says why. A refused pass left
    the graph alone. ``call`` is the pass with its arguments, as it can be typed. A pass that does not have to keep the
    answer (``keeps_answer`` false, such as round-weights) is measured but not refused, and the passes after it are
    compared with its result: ``against`` says with what, and ``drift`` is ``max_rel`` against the original itself.
    """

    name: str
    nodes_before: int
    nodes_after: int
    changed: tuple[str, ...]
    skipped: tuple[str, ...]
    max_abs: float | None
    max_rel: float | None
    tolerance: float
    samples: int
    seconds: float
    refused: bool = False
    reason: str = ""
    first_difference: str | None = None
    call: str = ""
    keeps_answer: bool = True
    against: str = "the original"
    drift: float | None = None


@dataclass(frozen=True)
class Rewrite:
    """The graph after all accepted passes."""

    graph: Graph
    steps: tuple[RewriteStep, ...]


@dataclass(frozen=True)
class Transformation:
    """A graph after the passes that were asked for, written to ``out``. Zipped sizes are those of one deflated file."""

    source: SourceModel
    rewrite: Rewrite
    out: str
    source_zipped_bytes: int
    size_bytes: int
    zipped_bytes: int
    command: str
    notes: tuple[str, ...] = ()
