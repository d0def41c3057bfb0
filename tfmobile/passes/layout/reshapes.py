"""Turns of Reshape: axes that it splits or joins stay neighbours in the other order, or it cannot turn.

``[N,C,H,W] → [N,g,C/g,H,W]`` turns into ``[N,H,W,C] → [N,H,W,g,C/g]``; ``[N,C,H,W] → [N,C·H·W]`` does not turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmobile.graph.model import Node, Shape, TensorRef
from tfmobile.passes.layout.permutations import Perm, permuted
from tfmobile.passes.layout.turns import Facts, Turn

_OPEN = 2**61 - 1
"""Stands for a size that is not known: a prime that no product of sizes has."""


def reshape(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """From the order of the input."""
    before, after = facts.shape(node.inputs[0]), facts.shape(TensorRef(node.name))
    found = regrouped(before, after, perm)
    return None if found is None else _turn(facts, node, perm, found, after)


def reshape_back(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """From the order of the output."""
    before, after = facts.shape(node.inputs[0]), facts.shape(TensorRef(node.name))
    found = regrouped(after, before, perm)
    return None if found is None else _turn(facts, node, found, perm, after)


def _turn(facts: Facts, node: Node, before: Perm, after: Perm, shape: Shape) -> Turn:
    sizes = [-1 if size is None else size for size in permuted(shape, after) or ()]
    kind = facts.dtype(node.inputs[1])
    return Turn({0: before}, {0: after}, {1: np.array(sizes, kind)})


def regrouped(before: Shape, after: Shape, perm: Perm) -> Perm | None:
    """The order of ``after``'s axes, when those of ``before`` are in the order ``perm``; None when there is none."""
    if before is None or after is None or len(before) != len(perm) or before.count(None) > 1 or 0 in before:
        return None
    groups = _groups(before, after)
    if groups is None:
        return None
    place = {axis: at for at, axis in enumerate(axis for axis in perm if before[axis] != 1)}
    starts: list[tuple[int, list[int]]] = []
    for old, new in groups:
        first = place[old[0]]
        if [place[axis] for axis in old] != list(range(first, first + len(old))):
            return None
        starts.append((first, new))
    large = [axis for _, new in sorted(starts) for axis in new]
    return _with_ones(large, after)


def _groups(before: Sequence[int | None], after: Sequence[int | None]) -> list[tuple[list[int], list[int]]] | None:
    """The runs of axes larger than 1 that hold the same values, on both sides."""
    old = [axis for axis, size in enumerate(before) if size != 1]
    new = [axis for axis, size in enumerate(after) if size != 1]
    if before.count(None) != after.count(None) or 0 in after:
        return None
    groups: list[tuple[list[int], list[int]]] = []
    while old and new:
        ours, theirs = [old.pop(0)], [new.pop(0)]
        left, right = _size(before[ours[0]]), _size(after[theirs[0]])
        while left != right:
            if left < right and old:
                ours.append(old.pop(0))
                left *= _size(before[ours[-1]])
            elif right < left and new:
                theirs.append(new.pop(0))
                right *= _size(after[theirs[-1]])
            else:
                return None
        groups.append((ours, theirs))
    return groups if not old and not new else None


def _size(size: int | None) -> int:
    return _OPEN if size is None else size


def _with_ones(large: Sequence[int], shape: Sequence[int | None]) -> Perm:
    """The axes of size 1 put back: each behind the axis it follows in ``shape``, or in front."""
    behind: dict[int, list[int]] = {}
    last = -1
    for axis, size in enumerate(shape):
        if size == 1:
            behind.setdefault(last, []).append(axis)
        else:
            last = axis
    found = behind.get(-1, [])
    for axis in large:
        found = [*found, axis, *behind.get(axis, [])]
    return tuple(found)
