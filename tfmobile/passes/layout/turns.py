"""How a node does the same work on tensors with their axes in another order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tfmobile.graph.match import Nodes, source
from tfmobile.graph.model import Array, Attr, Node, Shape, TensorRef
from tfmobile.passes.layout.permutations import Perm

Types: TypeAlias = "dict[TensorRef, tuple[Shape, str]]"


@dataclass(frozen=True)
class Turn:
    """A node in another order: what is not named stays as it is.

    ``inputs`` and ``outputs``: the order of axes, from what the node has now. ``constants`` stand for other inputs.
    ``picks``: inputs of which the rows are taken in this order (sizes or paddings that are computed). ``op``, where the
    op cannot do it, names one that can, which has no attribute but ``T``.
    """

    inputs: Mapping[int, Perm]
    outputs: Mapping[int, Perm]
    constants: Mapping[int, Array] = field(default_factory=dict)
    picks: Mapping[int, Perm] = field(default_factory=dict)
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    op: str = ""


class Facts:
    """What is known of the tensors of a graph before it runs."""

    def __init__(self, nodes: Nodes, types: Types) -> None:
        self.nodes = nodes
        self.types = types

    def shape(self, ref: TensorRef) -> Shape:
        """The shape; None when even the rank is not known."""
        return self.types.get(ref, (None, ""))[0]

    def rank(self, ref: TensorRef) -> int | None:
        """The number of axes, when known."""
        shape = self.shape(ref)
        return None if shape is None else len(shape)

    def dtype(self, ref: TensorRef) -> str:
        """The dtype's name."""
        return self.types.get(ref, (None, "float32"))[1]

    def value(self, ref: TensorRef) -> Array | None:
        """The value of a constant."""
        return source(self.nodes, ref).value

    def whole(self, node: Node, position: int) -> Array | None:
        """The value of an input that is a constant of integers."""
        value = self.value(node.inputs[position]) if -len(node.inputs) <= position < len(node.inputs) else None
        return value if value is not None and value.dtype.kind in "iu" else None

    def axes(self, node: Node, position: int, rank: int) -> tuple[int, ...] | None:
        """A constant input of axes, counted from the front; one number is a list of one."""
        value = self.whole(node, position)
        if value is None:
            return None
        found = tuple(int(axis) + rank if axis < 0 else int(axis) for axis in value.reshape(-1))
        return found if all(0 <= axis < rank for axis in found) else None


Maker: TypeAlias = "Callable[[Facts, Node, Perm], Turn | None]"
"""Gives the turn for an order of the tensor it starts from; None where there is none."""


@dataclass(frozen=True)
class Rule:
    """How ops of a kind turn: ``forward`` from the order of an input, ``backward`` from that of an output."""

    forward: Maker | None
    backward: Maker | None


def like(value: Array, numbers: object) -> Array:
    """``numbers`` in the dtype and shape of ``value``, in the place of which they stand."""
    return np.asarray(numbers, value.dtype).reshape(value.shape)
