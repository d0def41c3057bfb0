"""The back ends, and the one function that quantizes a float .tflite by a recipe with the one the recipe names."""

from __future__ import annotations

from collections.abc import Mapping

from tfmobile.artifacts import Calibration
from tfmobile.errors import DataError, UnsupportedError
from tfmobile.quantization.backends.modernize import modernize
from tfmobile.quantization.backends.result import check_result, keep_signature
from tfmobile.quantization.recipe import Recipe
from tfmobile.registry import load

BACKENDS: Mapping[str, str] = {
    "none": "tfmobile.quantization.backends.none:quantize",
    "mlir-quantize": "tfmobile.quantization.backends.mlir:quantize",
    "runtime-quantizer": "tfmobile.quantization.backends.runtime_quantizer:quantize",
    "litert-quantizer": "tfmobile.quantization.backends.litert_quantizer:quantize",
}
"""Name → function (float_model, recipe, calibration, io) → .tflite bytes."""


def quantize(float_model: bytes, recipe: Recipe, calibration: Calibration | None, *, io: str = "") -> bytes:
    """The .tflite that ``recipe`` makes of a float one. The same arguments give the same bytes.

    ``io`` is the type of inputs and outputs that are float in ``float_model``; empty means the recipe's own.
    Raises UnsupportedError for a type the recipe does not allow and, where it says so, for operators left float;
    DataError without the calibration it needs; ToolError when the back end is missing or fails; VerificationError when
    the result is not what the recipe says.
    """
    io = io or recipe.io
    if io not in recipe.io_allowed:
        raise UnsupportedError(
            f"The recipe {recipe.name} cannot have {io} inputs and outputs.",
            why=f"It makes {', '.join(recipe.io_allowed)}.",
            fixes=[f"--io {recipe.io_allowed[0]}"],
        )
    if recipe.needs_calibration and (calibration is None or not calibration.ranges):
        raise DataError(
            f"The recipe {recipe.name} needs calibrated activation ranges, and there are none.",
            why="Integer activations need the range of every tensor.",
            fixes=["Give 100 to 500 samples: --calibrate-with DIR", "--recipe dynamic-int8 needs none."],
        )
    back_end = load("back end", BACKENDS, recipe.backend)
    source = float_model if recipe.backend == "none" else modernize(float_model)
    made: bytes = back_end(source, recipe, calibration, io)
    content = keep_signature(float_model, made)
    check_result(float_model, content, recipe, io)
    return content
