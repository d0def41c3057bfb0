"""What is kept of the values of each tensor, sample by sample. In the child process only, one tally a thread.

Nothing that is kept depends on the order of the samples, nor on which thread sees which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from tfmobile.graph.model import Array

BINS = 2048
MOST_CHANNELS = 8192
"""A last axis longer than that is not a matter of channels."""
MOST_VALUES = 2_000_000
"""About how many values of a tensor are counted over all samples; enough for one in 100,000 to be seen 20 times."""
FIXED_POINT = 2.0**30
"""Sums of means are whole numbers of this fraction of a tensor's range, because their order must not matter."""
_STRIDES = (1, 3, 5, 7, 11, 13, 17, 23, 31, 43, 61, 83, 113, 157, 211, 307, 419, 601, 809, 1201, 2003, 4001, 8009)
"""Odd, most of them prime: taking every so many values goes through all channels."""


class Tally(Protocol):
    """``add`` a tensor of sample ``number``; the value lies in the model's memory and must not be kept.

    Raises FloatingPointError for NaN and infinity where that is looked for.
    """

    def add(self, number: int, tensor: int, value: Array) -> None: ...


Tallying: TypeAlias = Callable[[], Tally]


class RangeTally:
    """The smallest and largest value of each tensor over all samples."""

    def __init__(self) -> None:
        self.found: dict[int, tuple[np.float32, np.float32]] = {}

    def add(self, number: int, tensor: int, value: Array) -> None:
        low, high = bounds(value)
        before = self.found.get(tensor, (low, high))
        self.found[tensor] = (min(before[0], low), max(before[1], high))


class ExtremesTally:
    """The smallest and largest value of each tensor in each sample."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, int], tuple[np.float32, np.float32]] = {}

    def add(self, number: int, tensor: int, value: Array) -> None:
        self.found[number, tensor] = bounds(value)


@dataclass
class Channels:
    """Of each channel over all samples: extremes, and the sum of samples' means in fixed point."""

    lows: Array
    highs: Array
    sums: Array

    def join(self, other: Channels) -> Channels:
        """Both together."""
        return Channels(np.minimum(self.lows, other.lows), np.maximum(self.highs, other.highs), self.sums + other.sums)


class HistogramTally:
    """Histograms between given edges, values below and above them, and extremes and means of channels.

    ``edges`` are by tensor. Of tensors with many values every n-th is counted, n by the size and by ``samples``, how
    many there will be.
    """

    def __init__(self, edges: Mapping[int, tuple[float, float]], samples: int) -> None:
        self._edges, self._samples = edges, samples
        self.counts: dict[int, Array] = {}
        """[BINS + 2] int64: below, the bins, above."""
        self.channels: dict[int, Channels | None] = {}

    def add(self, number: int, tensor: int, value: Array) -> None:
        counts = self._counted(value, *self._edges[tensor])
        self.counts[tensor] = self.counts[tensor] + counts if tensor in self.counts else counts
        found = _channels(value, _unit(self._edges[tensor]))
        self.channels[tensor] = joined([self.channels[tensor], found]) if tensor in self.channels else found

    def _counted(self, value: Array, low: float, high: float) -> Array:
        flat = value.reshape(-1)
        if not flat.size:
            return np.zeros(BINS + 2, np.int64)
        flat = flat[:: stride(flat.size * self._samples)]
        if not high > low:
            return _outside(flat, low, high, np.zeros(BINS, np.int64), low)
        places = (flat - np.float32(low)) * np.float32(BINS / (high - low))
        inside = np.clip(places, 0, BINS - 1).astype(np.intp)
        return _outside(flat, low, high, np.bincount(inside, minlength=BINS), high)


def _outside(flat: Array, low: float, high: float, counts: Array, last: float) -> Array:
    """The counts with what lies outside moved from the first and last bin to places of its own."""
    below = int(np.count_nonzero(flat < np.float32(low)))
    above = int(np.count_nonzero(flat > np.float32(high)))
    inside = counts.astype(np.int64)
    if last == low:  # a tensor of one value
        inside[0] = flat.size - below - above
    else:
        inside[0] -= below
        inside[-1] -= above
    return np.concatenate([[below], inside, [above]])


def stride(values: int) -> int:
    """Every how many values are counted when there are so many."""
    return next((step for step in _STRIDES if values <= step * MOST_VALUES), _STRIDES[-1])


def joined(parts: Sequence[Channels | None]) -> Channels | None:
    """All together; None when one is None, or their numbers of channels differ."""
    found = parts[0]
    for part in parts[1:]:
        if found is None or part is None or found.lows.shape != part.lows.shape:
            return None
        found = found.join(part)
    return found


def bounds(value: Array) -> tuple[np.float32, np.float32]:
    """The smallest and the largest value; raises FloatingPointError when they are not finite."""
    if not value.size:
        return np.float32(0), np.float32(0)
    low, high = value.min(), value.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise FloatingPointError
    return low, high


def means(sums: Array, edges: tuple[float, float], samples: int) -> Array:
    """Channel means, float32, of the fixed-point sums of ``samples`` samples."""
    return (sums.astype(np.float64) * (_unit(edges) / samples)).astype(np.float32)


def _unit(edges: tuple[float, float]) -> float:
    return max(abs(edges[0]), abs(edges[1]), 1e-30) / FIXED_POINT


def _channels(value: Array, unit: float) -> Channels | None:
    """By the last axis; None where there is none, or too many."""
    count = value.shape[-1] if value.ndim > 1 else 0
    if not value.size or not 0 < count <= MOST_CHANNELS:
        return None
    rows = value.size // count
    fold = 1  # several rows side by side: reducing many short rows is slow
    while rows % (2 * fold) == 0 and 2 * fold * count <= 1024:
        fold *= 2
    wide = value.reshape(-1, fold * count)
    sums = wide.sum(0).reshape(fold, count).sum(0, dtype=np.float64)
    return Channels(
        wide.min(0).reshape(fold, count).min(0),
        wide.max(0).reshape(fold, count).max(0),
        np.rint(sums / rows / unit).astype(np.int64),
    )
