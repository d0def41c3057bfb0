"""The graph: nodes, typed edges, numpy constants, and a function library kept opaque. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = "tuple[int | None, ...] | None"
"""A dimension of None is dynamic; a shape of None has unknown rank."""


class TensorRef(NamedTuple):
    """An edge: output ``index`` of the node named ``node``. Its text is ``node`` or ``node:1``."""

    node: str
    index: int = 0  # type: ignore[assignment]  # it hides tuple.index, which no one wants here

    def __str__(self) -> str:
        return self.node if self.index == 0 else f"{self.node}:{self.index}"

    @classmethod
    def parse(cls, text: str) -> TensorRef:
        """Read ``name`` or ``name:index``."""
        name, colon, index = text.rpartition(":")
        return cls(name, int(index)) if colon and index.isdigit() else cls(text, 0)


@dataclass(frozen=True)
class RawAttr:
    """A serialized AttrValue that no pass needs to understand (functions, tensors in lists, …)."""

    data: bytes


@dataclass(frozen=True)
class DType:
    """A dtype attribute, by TensorFlow's name: float32, int8, string, resource, …"""

    name: str


@dataclass(frozen=True)
class ShapeAttr:
    """A shape attribute."""

    dims: Shape


# bool, int, float, bytes, str, DType, ShapeAttr, a numpy constant, a RawAttr, or a tuple of the plain ones.
Attr: TypeAlias = Any


@dataclass(frozen=True)
class Node:
    """One operation. ``inputs`` are data edges, ``controls`` the names of nodes that must run before."""

    name: str
    op: str
    inputs: tuple[TensorRef, ...] = ()
    controls: tuple[str, ...] = ()
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    device: str = ""

    @property
    def value(self) -> Array | None:
        """The constant of a Const node, else None."""
        found = self.attrs.get("value") if self.op == "Const" else None
        return found if isinstance(found, np.ndarray) else None


@dataclass(frozen=True)
class TensorSpec:
    """A model input or output: ``key`` is its signature name, ``ref`` the edge, ``dtype`` by TensorFlow's name."""

    key: str
    ref: TensorRef
    dtype: str
    shape: Shape


@dataclass(frozen=True)
class Graph:
    """A frozen model. ``nodes`` keep their order; ``library`` is a serialized FunctionDefLibrary, kept as it is."""

    nodes: Mapping[str, Node]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    library: bytes = b""
    producer: int = 0
    min_consumer: int = 0

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def consumers(self) -> dict[str, list[Node]]:
        """Node name → the nodes that read it, by data or control edge (each listed once)."""
        found: dict[str, list[Node]] = {name: [] for name in self.nodes}
        for node in self:
            for name in dict.fromkeys([*(ref.node for ref in node.inputs), *node.controls]):
                if name in found:
                    found[name].append(node)
        return found
