"""Steps ``scale · x + offset`` by constants: Mul, RealDiv, Add, Sub, BiasAdd and Neg; and several of them as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import Constants, source
from tfmobile.graph.model import Array, Node, Shape, TensorRef
from tfmobile.passes.affine import is_nchw

STEPS = frozenset({"Mul", "RealDiv", "Div", "Add", "AddV2", "Sub", "BiasAdd", "Neg"})
_SUMS = frozenset({"Add", "AddV2", "BiasAdd"})
_QUOTIENTS = frozenset({"RealDiv", "Div"})
_LOST = 256.0
"""How many times larger an offset on the way may be than what is left in the end: eight bits of the input are lost."""

Refused: TypeAlias = str
"""Why steps cannot become one."""


@dataclass(frozen=True)
class Step:
    """``node`` scales or shifts its input number ``place``; the other one is constant."""

    node: Node
    place: int

    @property
    def data(self) -> TensorRef:
        """What is scaled or shifted."""
        return self.node.inputs[self.place]

    @property
    def by(self) -> TensorRef | None:
        """By what; None for a Neg."""
        return None if self.node.op == "Neg" else self.node.inputs[1 - self.place]


@dataclass(frozen=True)
class Affine:
    """``scale · x + offset`` in float64.

    ``peak``: how large offsets were on the way, as seen from the end. ``largest``: the elements of the largest constant
    it was made of. ``shape``: what the constants together have, by which the input may be stretched.
    """

    scale: Array
    offset: Array
    peak: Array
    largest: int
    shape: tuple[int, ...]


def read_step(editor: GraphEditor, constants: Constants, node: Node) -> Step | None:
    """The step that ``node`` is, of floats or integers."""
    if node.op not in STEPS:
        return None
    if node.op == "Neg":
        return Step(node, 0)
    if len(node.inputs) != 2 or node.inputs[0] == node.inputs[1]:
        return None
    first, second = (_is_constant(editor, constants, ref) for ref in node.inputs)
    if first == second or (first and node.op in _QUOTIENTS | {"BiasAdd"}):
        return None
    return Step(node, 1 if first else 0)


def affine(step: Step, value: Array, shape: Shape) -> Affine | Refused:
    """What the step does with the constant ``value``; ``shape`` is that of its input, where it is known."""
    one, none = np.ones(()), np.zeros(())
    op = step.node.op
    stretch = value.shape
    if op == "BiasAdd":
        stretch = ()  # it never stretches
        if is_nchw(step.node):
            if shape is None:
                return "the rank of its input is not known"
            value = value.reshape(-1, *(1 for _ in shape[2:]))
    with np.errstate(all="ignore"):
        if op in ("Mul", "Neg"):
            scale, offset = value, none
        elif op in _QUOTIENTS:
            scale, offset = 1.0 / value, none
        elif op in _SUMS:
            scale, offset = one, value
        else:
            scale, offset = (one, -value) if step.place == 0 else (-one, value)
    return Affine(np.asarray(scale), np.asarray(offset), np.abs(offset), value.size, stretch)


def combined(first: Affine, then: Affine) -> Affine | Refused:
    """Both, one after the other; refused when that takes larger constants or is less exact."""
    try:
        with np.errstate(all="ignore"):
            scale, offset = first.scale * then.scale, first.offset * then.scale + then.offset
            peak = np.maximum(first.peak * np.abs(then.scale), np.abs(offset))
        shape = np.broadcast_shapes(first.shape, then.shape)
    except ValueError:
        return "its constants do not go together"
    largest = max(first.largest, then.largest)
    if max(scale.size, offset.size) > largest:
        return "its constants together would be larger than each"
    if (peak > _LOST * np.maximum(np.abs(offset), np.abs(scale))).any():
        return "what is added and taken away again rounds the numbers on the way"
    return Affine(np.asarray(scale), np.asarray(offset), peak, largest, shape)


def in_range(one: Affine, dtype: np.dtype[Any]) -> bool:
    """Whether all numbers are finite in ``dtype``, and none is too small for its full precision."""
    limits = np.finfo(dtype)
    for array in (one.scale, one.offset):
        size = np.abs(array)
        if not ((size == 0) | ((size >= float(limits.tiny)) & (size <= float(limits.max)))).all():
            return False
    return True


def stretches(shape: tuple[int, ...], data: Shape) -> bool:
    """Whether a constant of ``shape`` may give what it is added to, of the shape ``data``, another shape."""
    if not shape:
        return False
    if data is None or len(shape) > len(data):
        return True
    return any(size not in (1, there) for size, there in zip(reversed(shape), reversed(data), strict=False))


def _is_constant(editor: GraphEditor, constants: Constants, ref: TensorRef) -> bool:
    value = source(editor, ref).value
    return value.dtype.kind in "fiuV" if value is not None else constants(ref) is not None
