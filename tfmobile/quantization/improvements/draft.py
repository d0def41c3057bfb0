"""What an improvement is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from tfmobile.artifacts import Statistics
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import Progress
from tfmobile.quantization.recipe import Recipe
from tfmobile.scheme.int8 import Range


class Samples(Protocol):
    """Preprocessed samples at random access; ``feed`` has batch size 1, ``batches`` join along the first axis."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def feed(self, index: int) -> dict[str, Array]: ...

    def batches(self, size: int) -> Iterator[dict[str, Array]]: ...


@dataclass(frozen=True)
class Draft:
    """A quantized model on its way, all parts of one state.

    ``graph`` → ``floating`` (float .tflite) → ``statistics`` and ``ranges`` (both by calibration key) → ``quantized``.
    ``exact``: the graph from before biases and weights made up for rounding, which alone computes in float what the
    quantized model should; None: ``graph`` itself.
    """

    graph: Graph
    floating: bytes
    statistics: Statistics
    ranges: Mapping[str, Range]
    quantized: bytes
    recipe: Recipe
    exact: Graph | None = None

    @property
    def target(self) -> Graph:
        """What is to be computed."""
        return self.graph if self.exact is None else self.exact


@dataclass(frozen=True)
class Improved:
    """What to change in a draft; nothing when ``graph`` and ``ranges`` are None.

    ``graph`` computes (nearly) the same in float, with other weights. Its activations keep their ranges unless
    ``moves_activations``: then ranges are measured again. ``compensates``: it makes up for rounding, and in float it is
    not the model any more. ``ranges``: only the changed ones. ``changed``: one sentence a change (summed up where there
    are many); ``skipped``: one sentence a candidate left alone, with the reason.
    """

    graph: Graph | None = None
    moves_activations: bool = False
    compensates: bool = False
    ranges: Mapping[str, Range] | None = None
    changed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


Improver: TypeAlias = Callable[[Draft, Samples, Progress], Improved]
"""A draft and the samples to fit on → the change. Never touches the draft; the same arguments give the same result."""
