"""Turns of ops that name axes, and keep them all: joining, splitting, padding, slicing."""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array, Node
from tfmobile.passes.layout.permutations import Perm
from tfmobile.passes.layout.turns import Facts, Turn, like


def concat_v2(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """The axis, which comes last, is renamed."""
    return _joined(facts, node, perm, len(node.inputs) - 1, range(len(node.inputs) - 1))


def concat(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """The axis, which comes first, is renamed."""
    return _joined(facts, node, perm, 0, range(1, len(node.inputs)))


def _joined(facts: Facts, node: Node, perm: Perm, at: int, data: range) -> Turn | None:
    axis = _renamed(facts, node, perm, at)
    if axis is None or any(facts.rank(node.inputs[position]) != len(perm) for position in data):
        return None
    return Turn(dict.fromkeys(data, perm), {0: perm}, {at: axis})


def split(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Split: the axis comes first."""
    return _parted(facts, node, perm, 0, 1)


def split_v(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """SplitV: the axis comes third."""
    return _parted(facts, node, perm, 2, 0)


def _parted(facts: Facts, node: Node, perm: Perm, at: int, data: int) -> Turn | None:
    axis = _renamed(facts, node, perm, at)
    count = node.attrs.get("num_split")
    if axis is None or not isinstance(count, int) or facts.rank(node.inputs[data]) != len(perm):
        return None
    return Turn({data: perm}, dict.fromkeys(range(count), perm), {at: axis})


def along(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Ops of one tensor along the axes in their second input: Cumsum, ReverseV2."""
    axes = _renamed(facts, node, perm, 1)
    if _other_rank(facts, node, perm) or axes is None:
        return None
    return Turn({0: perm}, {0: perm}, {1: axes})


def gather(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """GatherV2 of a list of indices."""
    axis = _renamed(facts, node, perm, 2)
    if axis is None or node.attrs.get("batch_dims", 0) or facts.rank(node.inputs[1]) != 1:
        return None
    return None if _other_rank(facts, node, perm) else Turn({0: perm}, {0: perm}, {2: axis})


def softmax(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Ops along the last axis, where that stays the last."""
    if perm[-1] != len(perm) - 1 or _other_rank(facts, node, perm):
        return None
    return Turn({0: perm}, {0: perm})


def listed(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Ops whose second and third inputs have a row for each axis: Pad, MirrorPad, Tile, Slice."""
    if _other_rank(facts, node, perm):
        return None
    rows = [position for position in (1, 2) if position < len(node.inputs) and facts.rank(node.inputs[position])]
    shapes = [facts.shape(node.inputs[position]) for position in rows]
    if not rows or any(shape is None or shape[0] != len(perm) for shape in shapes):
        return None
    return Turn({0: perm}, {0: perm}, picks=dict.fromkeys(rows, perm))


def blocks(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """SpaceToBatchND and BatchToSpaceND: blocks of the axes after the first, in the same order as before."""
    sizes, edges = facts.whole(node, 1), facts.whole(node, 2)
    if sizes is None or edges is None or perm[0] != 0 or _other_rank(facts, node, perm):
        return None
    rows = {axis + 1: (int(size), *map(int, edges[axis])) for axis, size in enumerate(sizes)}
    turned = [rows.get(axis, (1, 0, 0)) for axis in perm[1:]]
    cut = [axis for axis in perm if rows.get(axis, (1,))[0] > 1]
    if cut != sorted(cut):
        return None
    while len(turned) > 1 and turned[-1] == (1, 0, 0):
        turned.pop()
    table = np.array(turned)
    return Turn({0: perm}, {0: perm}, {1: table[:, 0].astype(sizes.dtype), 2: table[:, 1:].astype(edges.dtype)})


def _other_rank(facts: Facts, node: Node, perm: Perm) -> bool:
    """Whether the first input does not have as many axes as ``perm``."""
    return facts.rank(node.inputs[0]) != len(perm)


def _renamed(facts: Facts, node: Node, perm: Perm, position: int) -> Array | None:
    """The constant axes of an input, as they are called in the other order."""
    value, axes = facts.whole(node, position), facts.axes(node, position, len(perm))
    return None if value is None or axes is None else like(value, sorted(perm.index(axis) for axis in axes))
