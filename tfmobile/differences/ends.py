"""Which input and output of A is which of B, and the samples that both are run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.differences.sides import End
from tfmobile.graph.model import Array, Shape, TensorSpec
from tfmobile.graph.samples import random_values

Pair = tuple[End, End]


@dataclass(frozen=True)
class Ends:
    """The pairs of inputs and of outputs; ``problem`` says why the models cannot be run on the same samples."""

    inputs: tuple[Pair, ...]
    outputs: tuple[Pair, ...]
    problem: str = ""
    notes: tuple[str, ...] = ()


def pair_ends(a: tuple[Sequence[End], Sequence[End]], b: tuple[Sequence[End], Sequence[End]]) -> Ends:
    """Pair (inputs, outputs) of A with those of B: by key, the others by position; inputs where the shapes agree."""
    inputs, outputs = _pairs(a[0], b[0], _fit), _pairs(a[1], b[1], lambda ours, theirs: True)
    problem = _problem(a[0], b[0], inputs)
    notes = [_type_note(ours, theirs) for ours, theirs in inputs]
    lonely = [*_lonely("A", a[1], [one for one, _ in outputs]), *_lonely("B", b[1], [one for _, one in outputs])]
    return Ends(tuple(inputs), tuple(outputs), problem, tuple(note for note in (*notes, *lonely) if note))


def _pairs(ours: Sequence[End], theirs: Sequence[End], fit: Callable[[Shape, Shape], bool]) -> list[Pair]:
    by_key = {end.key: end for end in theirs}
    pairs = [(end, by_key[end.key]) for end in ours if end.key in by_key and fit(end.shape, by_key[end.key].shape)]
    left = [end for end in ours if all(end is not one for one, _ in pairs)]
    other = [end for end in theirs if all(end is not one for _, one in pairs)]
    if len(left) == len(other):
        pairs += [(one, two) for one, two in zip(left, other, strict=True) if fit(one.shape, two.shape)]
    order = {id(end): position for position, end in enumerate(ours)}
    return sorted(pairs, key=lambda pair: order[id(pair[0])])


def _fit(ours: Shape, theirs: Shape) -> bool:
    if ours is None or theirs is None:
        return True
    return len(ours) == len(theirs) and all(
        one is None or two is None or one == two for one, two in zip(ours, theirs, strict=True)
    )


def _problem(ours: Sequence[End], theirs: Sequence[End], pairs: Sequence[Pair]) -> str:
    if len(pairs) == len(ours) == len(theirs):
        return ""
    return f"the inputs are not the same: A takes {_listed(ours)}, B takes {_listed(theirs)}"


def _listed(ends: Sequence[End]) -> str:
    return ", ".join(f"'{end.key}' {end.dtype}{_spelled(end.shape)}" for end in ends) or "none"


def _spelled(shape: Shape) -> str:
    return "[*]" if shape is None else "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _type_note(ours: End, theirs: End) -> str:
    plain = not ours.scale and not theirs.scale and ours.dtype != theirs.dtype
    if not plain or {ours.dtype[:5], theirs.dtype[:5]} == {"float"}:
        return ""
    return f"The input '{ours.key}' is {ours.dtype} in A and {theirs.dtype} in B; both were fed the same numbers."


def _lonely(side: str, ends: Sequence[End], paired: Sequence[End]) -> list[str]:
    lonely = [end.key for end in ends if all(end is not one for one in paired)]
    names = ", ".join(f"'{key}'" for key in lonely)
    return [f"Without a counterpart among the outputs: {names} of {side}."] if lonely else []


def input_facts(ends: Ends) -> tuple[TensorFact, ...]:
    """What a sample of data must be, by A's keys: the batch is 1, another open dimension takes any size (−1)."""
    found = []
    for ours, theirs in ends.inputs:
        shape = [
            size if size is not None else (1 if axis == 0 else -1) for axis, size in enumerate(_joined(ours, theirs))
        ]
        found.append(TensorFact(ours.key, tuple(shape), ours.dtype, ours.scale, ours.zero_point))
    return tuple(found)


def _joined(ours: End, theirs: End) -> tuple[int | None, ...]:
    if ours.shape is None or theirs.shape is None:
        return ours.shape or theirs.shape or ()
    return tuple(one if one is not None else two for one, two in zip(ours.shape, theirs.shape, strict=True))


def random_feeds(ends: Ends, count: int) -> list[Mapping[str, Array]]:
    """Random samples by A's keys, the same every time; a quantized input's whole range. None of unknown rank."""
    if any(ours.shape is None and theirs.shape is None for ours, theirs in ends.inputs):
        return []
    specs = [
        TensorSpec(ours.key, ours.ref, "float32" if _limits(ours, theirs) else ours.dtype, _joined(ours, theirs))
        for ours, theirs in ends.inputs
    ]
    limits = {ours.key: _limits(ours, theirs) for ours, theirs in ends.inputs}
    return [
        {key: _stretched(value, limits[key]) for key, value in sample.items()} for sample in random_values(specs, count)
    ]


def _limits(ours: End, theirs: End) -> tuple[float, float] | None:
    """The real range of a quantized input, of either side."""
    for end in (ours, theirs):
        if end.scale:
            kind = np.iinfo(end.dtype)
            return (kind.min - end.zero_point) * end.scale, (kind.max - end.zero_point) * end.scale
    return None


def _stretched(value: Array, limits: tuple[float, float] | None) -> Array:
    if limits is None:
        return value
    low, high = limits
    return np.asarray(low + (value + 1) / 2 * (high - low)).astype(np.float32)


def for_b(ends: Ends, feeds: Sequence[Mapping[str, Array]]) -> list[Mapping[str, Array]]:
    """The feeds of A under B's keys."""
    keys = {ours.key: theirs.key for ours, theirs in ends.inputs}
    return [{keys[key]: value for key, value in feed.items()} for feed in feeds]
