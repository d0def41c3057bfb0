"""Constants that are whole numbers: axes, sizes, paddings."""

from __future__ import annotations

from tfmobile.graph.match import Nodes, source
from tfmobile.graph.model import Array, TensorRef


def whole_numbers(nodes: Nodes, ref: TensorRef) -> Array | None:
    """The value of a constant of integers."""
    value = source(nodes, ref).value
    return value if value is not None and value.dtype.kind in "iu" else None


def number_list(nodes: Nodes, ref: TensorRef) -> tuple[int, ...] | None:
    """The value of a constant of integers as a list; one number is a list of one."""
    value = whole_numbers(nodes, ref)
    return None if value is None else tuple(int(item) for item in value.reshape(-1))


def pairs(nodes: Nodes, ref: TensorRef) -> tuple[tuple[int, int], ...] | None:
    """Constant paddings or crops: before and after, for each axis."""
    value = whole_numbers(nodes, ref)
    if value is None or value.ndim != 2 or value.shape[1] != 2:
        return None
    return tuple((int(before), int(after)) for before, after in value)
