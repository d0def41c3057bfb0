"""All values that were seen."""

from __future__ import annotations

from tfmobile.artifacts import TensorStatistics
from tfmobile.scheme.int8 import Range


def min_max(tensor: TensorStatistics) -> Range:
    """The smallest and the largest value, and 0: nothing is clipped, and one outlier costs all others their steps."""
    low, high = tensor.range
    return min(low, 0.0), max(high, 0.0)
