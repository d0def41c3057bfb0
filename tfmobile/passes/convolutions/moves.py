"""Nodes that treat each channel alike and by itself, so that a scale and a shift of channels may go past them.

Copies move values about; averages and interpolations have weights that sum to one, so that they also take a shift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import attr_dtype
from tfmobile.graph.model import Node, TensorRef
from tfmobile.passes.affine import Layout, is_nchw
from tfmobile.passes.convolutions.integers import number_list, pairs, whole_numbers

_Rule: TypeAlias = Callable[[GraphEditor, Node, Layout], "Layout | None"]

COPIES = frozenset({"Identity", "StopGradient", "PreventGradient", "Snapshot"})
"""Nodes that give what they get."""

POSITIVE_ONLY = frozenset({"MaxPool"})
"""Nodes that a scale passes only where it is positive."""


def moved(editor: GraphEditor, node: Node, data: TensorRef, layout: Layout) -> Layout | None:
    """The layout after ``node``, which reads ``data`` of ``layout``; None for a node that mixes or adds values."""
    rule = _RULES.get(node.op)
    if rule is None or not node.inputs or node.inputs[0] != data or data in node.inputs[1:]:
        return None
    return layout if node.op in COPIES else (rule(editor, node, layout) if layout.rank is not None else None)


def axis_of(layout: Layout) -> int:
    """The channel axis, counted from the front."""
    return 1 if layout.first else (layout.rank or 2) - 1


def _placed(layout: Layout, rank: int, axis: int) -> Layout | None:
    """The layout with the channels on ``axis`` of ``rank`` axes."""
    if rank < 2 or axis not in (1, rank - 1):
        return None
    return Layout(layout.channels, rank, first=axis != rank - 1)


def _same(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    return layout


def _batch_to_space(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    block, axis = number_list(editor, node.inputs[1]), axis_of(layout)
    if block is None:
        return None
    if axis > len(block):
        return layout
    crops = pairs(editor, node.inputs[2])
    whole = crops is not None and len(crops) == len(block) and crops[axis - 1] == (0, 0)
    return layout if whole and block[axis - 1] == 1 else None


def _squeeze(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    rank, axis = layout.rank or 2, axis_of(layout)
    gone = {item % rank for item in node.attrs.get("squeeze_dims", ())}
    if not gone or axis in gone:
        return None
    return _placed(layout, rank - len(gone), axis - sum(item < axis for item in gone))


def _expand(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    rank, axis = layout.rank or 2, axis_of(layout)
    added = number_list(editor, node.inputs[1])
    if added is None or len(added) != 1:
        return None
    return _placed(layout, rank + 1, axis + (added[0] % (rank + 1) <= axis))


def _reshape(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    """The last axis stays as it is: the place of a value modulo the channels is its channel, before and after."""
    target = number_list(editor, node.inputs[1])
    if layout.first or target is None or len(target) < 2 or target[-1] != layout.channels:
        return None
    return Layout(layout.channels, len(target))


def _transpose(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    order, axis = number_list(editor, node.inputs[1]), axis_of(layout)
    if order is None or len(order) != layout.rank or axis not in order:
        return None
    return _placed(layout, len(order), order.index(axis))


def _pool(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    return layout if layout.rank == 4 and is_nchw(node) == layout.first else None


def _resize(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    fits = layout.rank == 4 and not layout.first
    same_type = node.op == "ResizeNearestNeighbor" or attr_dtype(node) == "float32"
    return layout if fits and same_type else None


def _mean(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    rank, axis = layout.rank or 2, axis_of(layout)
    axes = number_list(editor, node.inputs[1])
    gone = {item % rank for item in axes or ()}
    if axes is None or axis in gone:
        return None
    if node.attrs.get("keep_dims", False):
        return layout
    return _placed(layout, rank - len(gone), axis - sum(item < axis for item in gone))


def _mirror_pad(editor: GraphEditor, node: Node, layout: Layout) -> Layout | None:
    added = pairs(editor, node.inputs[1])
    return layout if added and len(added) == layout.rank and added[axis_of(layout)] == (0, 0) else None


_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(COPIES, _same),
    "BatchToSpaceND": _batch_to_space,
    "Squeeze": _squeeze,
    "ExpandDims": _expand,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "AvgPool": _pool,
    "MaxPool": _pool,
    "Mean": _mean,
    "ResizeBilinear": _resize,
    "ResizeNearestNeighbor": _resize,
    "MirrorPad": _mirror_pad,
}

MOVES = frozenset(_RULES)


def concat_axis(editor: GraphEditor, node: Node, rank: int) -> int | None:
    """The axis on which a Concat or ConcatV2 joins tensors of ``rank``."""
    value = whole_numbers(editor, node.inputs[-1 if node.op == "ConcatV2" else 0])
    return int(value) % rank if value is not None and value.size == 1 else None
