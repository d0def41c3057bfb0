"""How far two arrays lie apart."""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array


def distance(ours: Array, theirs: Array) -> float:
    """The largest absolute difference; equal infinities, and NaN in the same places, count as equal.

    NaN when one side has a NaN that the other has not; inf when the shapes differ.
    """
    if ours.shape != theirs.shape:
        return float("inf")
    if ours.dtype.kind in "OSUV" and ours.dtype.name != "bfloat16":
        return 0.0 if np.array_equal(ours, theirs) else 1.0
    a, b = wide(ours), wide(theirs)
    with np.errstate(invalid="ignore"):
        gap = np.abs(a - b)
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, gap)
    return float(gap.max(initial=0.0))


def largest(value: Array) -> float:
    """The largest magnitude among the finite values; 0 for strings."""
    if value.dtype.kind in "OSUV" and value.dtype.name != "bfloat16":
        return 0.0
    magnitude = np.abs(wide(value))
    return float(magnitude[np.isfinite(magnitude)].max(initial=0.0))


def wide(value: Array) -> Array:
    """The array in float64, or complex128, in which differences are formed."""
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
