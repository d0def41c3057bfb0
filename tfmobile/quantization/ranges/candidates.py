"""Ranges to try for tensors that share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.artifacts import TensorStatistics
from tfmobile.quantization.ranges.min_max import min_max
from tfmobile.quantization.ranges.percentile import percentile
from tfmobile.quantization.ranges.table import RANGE_RULES, RangeRule
from tfmobile.registry import load
from tfmobile.scheme.int8 import Range

FACTORS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.32, 0.25, 0.2, 0.16)
"""Of the smallest and of the largest value."""


def hull(ranges: Sequence[Range]) -> Range:
    """The range that holds all of them."""
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def by_rules(tensors: Sequence[TensorStatistics]) -> Mapping[str, Range]:
    """Rule → the range that it gives, for all of ``tensors`` together."""
    rules: dict[str, RangeRule] = {name: load("range rule", RANGE_RULES, name) for name in RANGE_RULES}
    return {name: hull([rule(tensor) for tensor in tensors]) for name, rule in rules.items()}


def can_gain(tensors: Sequence[TensorStatistics]) -> bool:
    """Whether clipping could pay: where one value in twenty on each side takes less than a tenth of the range, not."""
    bulk, widest = (hull([rule(tensor) for tensor in tensors]) for rule in (_bulk, min_max))
    return _width(bulk) < 0.9 * _width(widest)


def _bulk(tensor: TensorStatistics) -> Range:
    return percentile(tensor, 0.05)


def shrunk(range_: Range, widest: Range, side: int) -> list[Range]:
    """``range_`` with its low (``side`` 0) or high (1) at FACTORS of the widest, from wide to narrow."""
    bounds = [float(np.float32(widest[side] * factor)) for factor in FACTORS]
    return [(bound, range_[1]) if side == 0 else (range_[0], bound) for bound in bounds if bound]


def _width(range_: Range) -> float:
    return range_[1] - range_[0]
