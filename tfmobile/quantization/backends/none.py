"""No quantization: the float model is the result."""

from __future__ import annotations

from tfmobile.artifacts import Calibration
from tfmobile.quantization.recipe import Recipe


def quantize(float_model: bytes, recipe: Recipe, calibration: Calibration | None, io: str) -> bytes:
    """``float_model`` as it is."""
    return float_model
