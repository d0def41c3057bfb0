"""int16 activations with int8 weights, by the quantizer that comes with the runtime's calibrator.

``TFLiteConverter`` uses the same one for 16x8: the MLIR quantizer writes int32 biases and zero points there, which no
kernel accepts. It works on a float .tflite whose tensors carry calibrated ranges, needs no TensorFlow, and runs in a
child process because it can crash.
"""

from __future__ import annotations

from typing import Any

from tfmobile.artifacts import Calibration
from tfmobile.quantization.recipe import Recipe
from tfmobile.quantization.tensor_keys import set_ranges, with_intermediates
from tfmobile.runtime import child, flatbuffer

WORKER = "tfmobile.quantization.backends.runtime_quantizer_worker"
BIAS = {"int8": "int32", "int16": "int64"}
TIMEOUT_S = 600.0


def quantize(float_model: bytes, recipe: Recipe, calibration: Calibration | None, io: str) -> bytes:
    """int8 weights, and symmetric activations as the recipe says, from the ranges of ``calibration``."""
    assert calibration is not None, "a recipe of this back end needs calibration"
    model = flatbuffer.read(with_intermediates(float_model))
    set_ranges(model, calibration.ranges)
    _set_integer_inputs(model)
    request = {
        "io": io,
        "activations": recipe.activations,
        "bias": BIAS[recipe.activations],
        "per_tensor": recipe.granularity == "tensor",
    }
    files = {"model": flatbuffer.write(model)}
    made = child.call(WORKER, request, files=files, timeout_s=TIMEOUT_S, what="Quantizing the model")
    return next(iter(made.arrays))["content"].tobytes()


def _set_integer_inputs(model: Any) -> None:
    """The quantizer asks for a range of every input, also of integer ones, and then does not use it."""
    main = model.subgraphs[0]
    for index in main.inputs:
        tensor = main.tensors[int(index)]
        if flatbuffer.dtype_name(tensor.type) != "float32":
            tensor.quantization = flatbuffer.schema().QuantizationParametersT()
            tensor.quantization.min, tensor.quantization.max = [0.0], [1.0]
