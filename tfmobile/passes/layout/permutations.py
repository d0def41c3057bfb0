"""Orders of axes. Axis ``i`` of ``transpose(x, p)`` is axis ``p[i]`` of ``x``."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import TypeAlias

from tfmobile.graph.model import Shape

Perm: TypeAlias = tuple[int, ...]
Sizes: TypeAlias = "tuple[int | None, ...]"
_cached = functools.lru_cache(maxsize=4096)
"""A graph has few orders of axes and few shapes, and asks for them often."""


def identity(rank: int) -> Perm:
    """The order that changes nothing."""
    return tuple(range(rank))


def channels_last(rank: int) -> Perm:
    """From NCHW (or NCDHW) to NHWC."""
    return (0, *range(2, rank), 1)


@_cached
def compose(first: Perm, then: Perm) -> Perm:
    """Both, one after the other."""
    return tuple(first[axis] for axis in then)


@_cached
def inverse(perm: Perm) -> Perm:
    """What undoes it."""
    return tuple(sorted(range(len(perm)), key=perm.__getitem__))


@_cached
def settled(perm: Perm, shape: Sizes) -> Perm:
    """``perm`` with axes of size 1 in ascending order: for tensors of this shape the same, and comparable."""
    ones = iter([axis for axis in range(len(perm)) if shape[axis] == 1])
    return tuple(next(ones) if shape[axis] == 1 else axis for axis in perm)


@_cached
def memory_order(perm: Perm, shape: Sizes) -> Perm:
    """The axes larger than 1, in order: where two orders agree in it, a Reshape does what a Transpose would."""
    return tuple(axis for axis in perm if shape[axis] != 1)


def permuted(shape: Shape, perm: Perm) -> Shape:
    """The shape of ``transpose(x, perm)``."""
    return None if shape is None else tuple(shape[axis] for axis in perm)


def without(perm: Perm, axes: Collection[int]) -> Perm:
    """What is left of ``perm`` when the axes ``axes`` of ``x`` are taken away on both sides."""
    kept = [axis for axis in range(len(perm)) if axis not in axes]
    place = {axis: at for at, axis in enumerate(kept)}
    return tuple(place[axis] for axis in perm if axis in place)


def movement(before: Shape, after: Shape) -> Perm | None:
    """The order that a Reshape gives, when all it does is to move axes of size 1."""
    if before is None or after is None or len(before) != len(after) or before.count(None) > 1:
        return None
    large = [axis for axis, size in enumerate(before) if size != 1]
    if [before[axis] for axis in large] != [size for size in after if size != 1]:
        return None
    rest, ones = iter(large), iter([axis for axis, size in enumerate(before) if size == 1])
    return tuple(next(ones) if size == 1 else next(rest) for size in after)
