"""What the user asked of ``load``, what a format's loader hands back, and the names of a graph's ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfmobile.graph.model import Graph, Shape, TensorRef


@dataclass(frozen=True)
class Options:
    """The parameters of ``load`` that a format may use."""

    signature: str | None = None
    tags: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    input_shape: tuple[str, ...] = ()
    graph: Path | None = None
    trust: bool = False
    verbatim: bool = False


@dataclass(frozen=True)
class End:
    """An input or output before its type is known: ``key`` is the name in the signature, ``shape`` a hint of it."""

    key: str
    ref: TensorRef
    shape: Shape = None


@dataclass(frozen=True)
class Loaded:
    """What one format's loader found."""

    summary: str
    files: tuple[Path, ...]
    graph: Graph | None = None
    tflite: bytes | None = None
    signature: str | None = None
    signatures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
