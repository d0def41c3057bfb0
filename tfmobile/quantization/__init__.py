"""Quantize a float .tflite by a recipe: calibrate activation ranges, run the back end, measure the error by layer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfmobile.quantization.recipe import Recipe, recipe, recipe_names

if TYPE_CHECKING:
    from tfmobile.quantization.backends import BACKENDS, quantize
    from tfmobile.quantization.backends.precision import layer_names
    from tfmobile.quantization.calibration import calibrate
    from tfmobile.quantization.errors_by_layer import layer_errors
    from tfmobile.quantization.random_data import random_feeds

# Loaded when used: the names of recipes are asked for by shell completion, which must not wait for numpy.
_WHERE = {
    "BACKENDS": "backends",
    "calibrate": "calibration",
    "layer_errors": "errors_by_layer",
    "layer_names": "backends.precision",
    "quantize": "backends",
    "random_feeds": "random_data",
}

__all__ = [
    "BACKENDS",
    "Recipe",
    "calibrate",
    "layer_errors",
    "layer_names",
    "quantize",
    "random_feeds",
    "recipe",
    "recipe_names",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
