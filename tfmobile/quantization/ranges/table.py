"""The rules a recipe can name (``ranges``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from tfmobile.artifacts import TensorStatistics
from tfmobile.scheme.int8 import Range

RangeRule: TypeAlias = Callable[[TensorStatistics], Range]

RANGE_RULES: Mapping[str, str] = {
    "min-max": "tfmobile.quantization.ranges.min_max:min_max",
    "percentile-99.9": "tfmobile.quantization.ranges.percentile:percentile_99_9",
    "percentile-99.99": "tfmobile.quantization.ranges.percentile:percentile_99_99",
    "percentile-99.999": "tfmobile.quantization.ranges.percentile:percentile_99_999",
    "mse": "tfmobile.quantization.ranges.mse:mse",
    "kl": "tfmobile.quantization.ranges.kl:kl",
}
"""Name → a RangeRule."""
