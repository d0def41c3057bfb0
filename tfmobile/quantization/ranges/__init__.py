"""From statistics of a tensor to the range that its 256 steps cover.

Every rule gives a range that holds 0 and is no wider than the smallest and largest value, with 0.
"""

from __future__ import annotations

from tfmobile.artifacts import Statistics
from tfmobile.quantization.ranges.table import RANGE_RULES as RANGE_RULES
from tfmobile.quantization.ranges.table import RangeRule as RangeRule
from tfmobile.registry import load
from tfmobile.scheme.int8 import Range


def choose(statistics: Statistics, rule: str) -> dict[str, Range]:
    """A range for every tensor, by calibration key, by the rule of this name. Raises UnknownNameError."""
    found: RangeRule = load("range rule", RANGE_RULES, rule)
    return {key: found(tensor) for key, tensor in sorted(statistics.tensors.items())}
