"""What is kept of the values of each tensor, sample by sample. In the child process only, one tally a thread.

Nothing that is kept depends on the order of the samples, nor on which thread sees which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from tfmobile.graph.model import Array

BINS = 2048
MOST_CHANNELS = 8192
"""A last axis longer than that is not a matter of channels."""
MOST_VALUES = 1_000_000
"""About how many values of a tensor are counted over all samples; enough for one in 100,000 to be seen 10 times."""
WAITING = 16_384
"""How many values of a tensor are collected before they are counted."""
TINY = 1e-30
"""A tensor that spreads less is one value."""
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


class HistogramTally:
    """Histograms between given edges, values below and above them, and extremes and means of channels.

    ``edges`` are by tensor. Of tensors with many values every n-th is counted, n by the size and by ``samples``, how
    many there will be.
    """

    def __init__(self, edges: Mapping[int, tuple[float, float]], samples: int) -> None:
        self._samples = samples
        self._bins = {tensor: Histogram(*both) for tensor, both in edges.items()}
        self._channels: dict[int, Channels | None] = {}
        self._units = {tensor: unit(both) for tensor, both in edges.items()}

    def add(self, number: int, tensor: int, value: Array) -> None:
        if value.size:
            self._bins[tensor].add(value.reshape(-1)[:: stride(value.size * self._samples)])
        if tensor not in self._channels:
            self._channels[tensor] = Channels.of(value.shape, self._units[tensor])
        channels = self._channels[tensor]
        if channels is not None and not channels.add(value):
            self._channels[tensor] = None

    def counts(self, tensor: int) -> Array:
        """[BINS + 2] int64: below, the bins, above."""
        return self._bins[tensor].finish()

    def channels(self, tensor: int) -> tuple[Array, Array, Array] | None:
        """Lows, highs, and sums of means in fixed point; None where there are no channels."""
        found = self._channels.get(tensor)
        return found.finish() if found is not None else None

    @property
    def empty(self) -> bool:
        """Whether it saw no sample."""
        return not self._channels


class Histogram:
    """Counts between two edges; values are collected first, because counting few of them takes as long as many."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = np.float32(low), np.float32(high)
        self._counts: Array = np.zeros(BINS + 2, np.int64)
        self._waiting: list[Array] = []
        self._size = 0

    def add(self, values: Array) -> None:
        """Count ``values`` [any number], of which a copy is kept for a while."""
        self._waiting.append(values.copy())
        self._size += values.size
        if self._size >= WAITING:
            self._flush()

    def finish(self) -> Array:
        """Below, the bins, above."""
        if self._size:
            self._flush()
        return self._counts

    def _flush(self) -> None:
        values = np.concatenate(self._waiting)
        self._waiting, self._size = [], 0
        below = int(np.count_nonzero(values < self._low))
        above = int(np.count_nonzero(values > self._high))
        width = np.float32(self._high - self._low)
        spread = width > TINY
        places = (values - self._low) * (np.float32(BINS) / width) if spread else np.zeros_like(values)
        np.clip(places, 0, BINS - 1, out=places)
        inside = np.bincount(places.astype(np.intp), minlength=BINS)
        # What lies outside was counted in the bin at its end.
        inside[0] -= below
        inside[-1 if spread else 0] -= above
        self._counts += np.concatenate([[below], inside, [above]])


class Channels:
    """Extremes of each channel (last axis), and the sum of samples' means in fixed point.

    ``fold`` rows of channels lie side by side: reducing many short rows is slow.
    """

    def __init__(self, shape: tuple[int, ...], fold: int, unit: float) -> None:
        self._shape, self._fold, self._unit = shape, fold, unit
        width = fold * shape[-1]
        self._rows = int(np.prod(shape[:-1], dtype=np.int64))
        self._lows: Array = np.full(width, np.inf, np.float32)
        self._highs: Array = np.full(width, -np.inf, np.float32)
        self._sums: Array = np.zeros(width, np.int64)

    @classmethod
    def of(cls, shape: tuple[int, ...], unit: float) -> Channels | None:
        """For tensors of this shape; None where there are no channels, or too many."""
        count = shape[-1] if len(shape) > 1 else 0
        rows = int(np.prod(shape[:-1], dtype=np.int64))
        if not rows or not 0 < count <= MOST_CHANNELS:
            return None
        fold = 1
        while rows % (2 * fold) == 0 and 2 * fold * count <= 1024:
            fold *= 2
        return cls(shape, fold, unit)

    def add(self, value: Array) -> bool:
        """Whether the shape is still the same; else nothing can be said about channels."""
        if value.shape != self._shape:
            return False
        wide = value.reshape(-1, len(self._lows))
        np.minimum(self._lows, wide.min(0), out=self._lows)
        np.maximum(self._highs, wide.max(0), out=self._highs)
        self._sums += np.rint(wide.sum(0) * (1 / (self._rows * self._unit))).astype(np.int64)
        return True

    def finish(self) -> tuple[Array, Array, Array]:
        """Lows, highs, sums [channels]."""
        lows, highs, sums = (part.reshape(self._fold, -1) for part in (self._lows, self._highs, self._sums))
        return lows.min(0), highs.max(0), sums.sum(0)


def stride(values: int) -> int:
    """Every how many values are counted when there are so many."""
    return next((step for step in _STRIDES if values <= step * MOST_VALUES), _STRIDES[-1])


def joined(parts: Sequence[tuple[Array, Array, Array] | None]) -> tuple[Array, Array, Array] | None:
    """``HistogramTally.channels`` of several threads together; None when one is None, or their shapes differ."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part[0].shape for part in known}) != 1:
        return None
    lows, highs, sums = zip(*known, strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0), np.sum(sums, axis=0)


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
    return (sums.astype(np.float64) * (unit(edges) / samples)).astype(np.float32)


def unit(edges: tuple[float, float]) -> float:
    """What 1 in a fixed-point sum stands for."""
    return max(abs(edges[0]), abs(edges[1]), TINY) / FIXED_POINT
