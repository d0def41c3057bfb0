"""Turns of ops that take axes away or add them: reductions, Squeeze, ExpandDims, StridedSlice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfmobile.graph.model import Attr, Node
from tfmobile.passes.layout.permutations import Perm, without
from tfmobile.passes.layout.turns import Facts, Turn, like

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def reduction(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Mean, Sum, Max and their like over constant axes; ``perm`` is the order of the input."""
    value, axes = facts.whole(node, 1), facts.axes(node, 1, len(perm))
    if value is None or axes is None or facts.rank(node.inputs[0]) != len(perm):
        return None
    after = perm if _keeps(node) else without(perm, axes)
    return Turn({0: perm}, {0: after}, {1: like(value, sorted(perm.index(axis) for axis in axes))})


def reduction_kept(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """A reduction that keeps its axes, from the order of its output."""
    return reduction(facts, node, perm) if _keeps(node) else None


def best_index(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """ArgMax and ArgMin."""
    value, axes = facts.whole(node, 1), facts.axes(node, 1, len(perm))
    if value is None or axes is None or facts.rank(node.inputs[0]) != len(perm):
        return None
    return Turn({0: perm}, {0: without(perm, axes)}, {1: like(value, [perm.index(axis) for axis in axes])})


def squeeze(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Squeeze of axes that are named, or known by their size."""
    shape = facts.shape(node.inputs[0])
    if shape is None or len(shape) != len(perm):
        return None
    named = node.attrs.get("squeeze_dims") or ()
    if not named and None in shape:
        return None
    axes = [axis % len(perm) for axis in named] or [axis for axis, size in enumerate(shape) if size == 1]
    if not axes:
        return None
    return Turn({0: perm}, {0: without(perm, axes)}, attrs={"squeeze_dims": tuple(sorted(map(perm.index, axes)))})


def expand_dims(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """ExpandDims; ``perm`` is the order of the output."""
    value, axes = facts.whole(node, 1), facts.axes(node, 1, len(perm))
    if value is None or axes is None or facts.rank(node.inputs[0]) != len(perm) - 1:
        return None
    return Turn({0: without(perm, axes)}, {0: perm}, {1: like(value, [perm.index(axis) for axis in axes])})


class _Cut(NamedTuple):
    """What a StridedSlice does on one axis."""

    begin: int = 0
    end: int = 0
    stride: int = 1
    from_start: bool = True
    to_end: bool = True
    single: bool = False


def strided_slice(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """StridedSlice by constants, without new axes; ``perm`` is the order of the input."""
    cuts = _cuts(facts, node, len(perm))
    if cuts is None or facts.rank(node.inputs[0]) != len(perm):
        return None
    turned = [cuts[axis] for axis in perm]
    attrs: dict[str, Attr] = dict.fromkeys(_MASKS, 0)
    attrs["begin_mask"] = _bits([cut.from_start for cut in turned])
    attrs["end_mask"] = _bits([cut.to_end for cut in turned])
    attrs["shrink_axis_mask"] = _bits([cut.single for cut in turned])
    kind = facts.dtype(node.inputs[1])
    columns = ([cut[place] for cut in turned] for place in range(3))
    constants = {place + 1: np.array(column, kind) for place, column in enumerate(columns)}
    gone = [axis for axis, cut in enumerate(cuts) if cut.single]
    return Turn({0: perm}, {0: without(perm, gone)}, constants, attrs=attrs)


def strided_slice_kept(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """A StridedSlice that keeps all axes, from the order of its output."""
    return None if node.attrs.get("shrink_axis_mask", 0) else strided_slice(facts, node, perm)


def _cuts(facts: Facts, node: Node, rank: int) -> list[_Cut] | None:
    begin, end, strides = (facts.whole(node, position) for position in (1, 2, 3))
    masks = {key: node.attrs.get(key, 0) for key in _MASKS}
    if begin is None or end is None or strides is None or masks["new_axis_mask"]:
        return None
    cuts: list[_Cut] = []
    for place in range(len(begin)):
        if masks["ellipsis_mask"] >> place & 1:
            cuts.extend([_Cut()] * (rank - len(begin) + 1))
            continue
        flags = [bool(masks[key] >> place & 1) for key in ("begin_mask", "end_mask", "shrink_axis_mask")]
        cuts.append(_Cut(int(begin[place]), int(end[place]), int(strides[place]), *flags))
    return [*cuts, *[_Cut()] * (rank - len(cuts))] if len(cuts) <= rank else None


def _bits(flags: Sequence[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _keeps(node: Node) -> bool:
    return bool(node.attrs.get("keep_dims", False))
