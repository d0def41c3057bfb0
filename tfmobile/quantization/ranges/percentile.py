"""All but a few of the values on each side."""

from __future__ import annotations

import numpy as np

from tfmobile.artifacts import TensorStatistics
from tfmobile.quantization.ranges.min_max import min_max
from tfmobile.scheme.int8 import Range


def percentile_99_9(tensor: TensorStatistics) -> Range:
    """Clips one value in a thousand on each side."""
    return percentile(tensor, 1e-3)


def percentile_99_99(tensor: TensorStatistics) -> Range:
    """Clips one value in ten thousand on each side."""
    return percentile(tensor, 1e-4)


def percentile_99_999(tensor: TensorStatistics) -> Range:
    """Clips one value in a hundred thousand on each side."""
    return percentile(tensor, 1e-5)


def percentile(tensor: TensorStatistics, tail: float) -> Range:
    """The range that leaves the fraction ``tail`` of all values out on each side; values within a bin lie evenly."""
    widest = min_max(tensor)
    if not tensor.counts.sum():
        return widest
    edges = np.linspace(*tensor.edges, len(tensor.counts) + 1)
    low, high = tensor.range
    places = np.concatenate([[low], edges, [high]])
    below = np.concatenate([[0], np.cumsum([tensor.below, *tensor.counts, tensor.above])])
    # The same place twice, where nothing lies outside the edges, is fine: places only have to ascend.
    found = np.interp([tail * below[-1], (1 - tail) * below[-1]], below, places)
    return max(widest[0], min(float(found[0]), 0.0)), min(widest[1], max(float(found[1]), 0.0))
