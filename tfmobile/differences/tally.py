"""How far one tensor of A and its counterpart of B lie apart, added up over the samples."""

from __future__ import annotations

import math

import numpy as np

from tfmobile.differences.facts import TensorGap
from tfmobile.graph.distance import distance, largest, wide
from tfmobile.graph.model import Array


class Tally:
    """``see`` each sample's values, then ask for the ``gap``."""

    def __init__(self) -> None:
        self._max_abs = 0.0
        self._scale = 0.0
        self._sums = np.zeros(4)
        self._shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    @property
    def same_shape(self) -> bool:
        """Whether the values seen last have one shape."""
        return self._shapes[0] == self._shapes[1]

    def see(self, ours: Array, theirs: Array) -> None:
        """Add one sample; NaN in the same places, and equal infinities, count as equal."""
        self._shapes = ours.shape, theirs.shape
        gap = distance(ours, theirs)
        self._max_abs = max(self._max_abs, gap) if gap == gap and self._max_abs == self._max_abs else math.nan
        self._scale = max(self._scale, largest(ours))
        if self.same_shape:
            self._sums += _sums(wide(ours), wide(theirs))

    def gap(self, name: str, other: str, op: str, tolerance: float) -> TensorGap:
        """What was found; ``differs`` beyond ``tolerance``, relative to the largest magnitude of A."""
        if not self.same_shape:
            return TensorGap(name, other, op, *self._shapes, None, None, None, None, differs=True)
        relative = self._max_abs / self._scale if self._scale else self._max_abs
        signal, other_signal, noise, product = (float(value) for value in self._sums)
        snr = 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None
        cosine = product / math.sqrt(signal * other_signal) if signal > 0 and other_signal > 0 else None
        return TensorGap(
            name,
            other,
            op,
            *self._shapes,
            max_abs=self._max_abs,
            max_rel=relative,
            snr_db=snr,
            cosine=None if cosine is None else min(max(cosine, -1.0), 1.0),
            differs=not relative <= tolerance,
        )


def _sums(ours: Array, theirs: Array) -> Array:
    """Σ a², Σ b², Σ (a − b)², Σ a·b over what is finite on both sides."""
    kept = np.isfinite(ours) & np.isfinite(theirs)
    a, b = ours[kept], theirs[kept]
    squares = [np.vdot(a, a), np.vdot(b, b), np.vdot(a - b, a - b), np.vdot(a, b)]
    return np.array([float(np.real(value)) for value in squares])
