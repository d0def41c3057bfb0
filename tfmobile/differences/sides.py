"""One model of the two, in the terms in which they are compared: parts, ends, computed tensors, and their values.

A *part* is a node of a graph, or an operator of a .tflite, which is named after its first output. A TensorRef names
output ``index`` of a part, or an input of the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeAlias

from tfmobile.graph.attributes import dtype_name
from tfmobile.graph.model import Array, Shape, TensorRef
from tfmobile.graph.text import array_text

Feeds: TypeAlias = Sequence[Mapping[str, Array]]


@dataclass(frozen=True)
class Constant:
    """A constant: as it is stored, and as the real values it stands for (None where they cannot be told)."""

    name: str
    stored: Array
    dtype: str
    shape: tuple[int, ...]
    restore: Callable[[], Array | None]
    quantization: str = ""

    @cached_property
    def digest(self) -> str:
        """Equal for equal content."""
        content = repr(self.stored.tolist()).encode() if self.stored.dtype == object else self.stored.tobytes()
        return hashlib.sha256(f"{self.kind} {self.quantization} ".encode() + content).hexdigest()

    @property
    def kind(self) -> str:
        """``float32[3,3]``."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    @property
    def text(self) -> str:
        """In full when small, else its type."""
        return array_text(self.stored) if self.stored.size <= 4 else self.kind


def plain_constant(name: str, value: Array) -> Constant:
    """A constant that is stored as it is meant."""
    return Constant(name, value, dtype_name(value), value.shape, lambda: value)


Source: TypeAlias = "TensorRef | Constant | None"
"""What a part reads; None for an optional input that is not given."""


@dataclass(frozen=True)
class Part:
    """``settings`` decide what is computed; ``traits`` (device, version, output type) are compared only.

    ``constant`` is the value of a Const node. ``aliases`` are other names: those of the nodes it was fused from.
    """

    name: str
    op: str
    inputs: tuple[Source, ...] = ()
    controls: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, str] = field(default_factory=dict)
    constant: Constant | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """An input or output of the model; ``scale`` 0 means not quantized."""

    key: str
    ref: TensorRef
    dtype: str
    shape: Shape
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class Tensor:
    """A computed tensor of numbers. ``size_bytes`` is an estimate where a dimension may change."""

    ref: TensorRef
    name: str
    size_bytes: int
    hidden: bool = False
    """Inside a branch or a loop, where it cannot be fetched."""
    discrete: bool = False
    """Whole numbers or truth values by nature."""


class Side(Protocol):
    """A model to compare. ``parts`` are in execution order."""

    kind: str
    parts: Mapping[str, Part]
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    hidden: int
    """Subgraphs or functions, whose insides are not compared."""

    def count(self) -> int:
        """How many nodes or operators it has."""
        ...

    def label(self, name: str) -> str:
        """The name of a part or an input as a person should read it."""
        ...

    def is_constant(self, name: str) -> bool:
        """Whether a part depends on constants only."""
        ...

    def tensors(self) -> list[Tensor]:
        """Every computed tensor of numbers, in execution order; raises the errors of opening the graph."""
        ...

    def values(self, refs: Sequence[TensorRef], feeds: Feeds) -> Iterator[Mapping[TensorRef, Array]]:
        """The values of ``refs`` for each of ``feeds`` (by input key), as real ones; raises TfmobileError."""
        ...

    def close(self) -> None:
        """Let go of what runs it."""
        ...
