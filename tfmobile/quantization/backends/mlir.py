"""TensorFlow's MLIR quantizer on a float .tflite whose tensors carry calibrated ranges: int8 activations.

``mlir_quantize`` is what ``TFLiteConverter`` calls after its own calibration. It is not public: its presence and its
arguments are checked before use. Scheme: https://ai.google.dev/edge/litert/models/quantization_spec
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any

from tfmobile.artifacts import Calibration
from tfmobile.errors import ToolError
from tfmobile.quantization.backends.precision import check_precision, followers, nodes, store_float16
from tfmobile.quantization.recipe import Recipe
from tfmobile.quantization.tensor_keys import set_ranges, with_intermediates
from tfmobile.runtime import flatbuffer

ARGUMENTS = (
    "fully_quantize",
    "input_data_type",
    "output_data_type",
    "disable_per_channel",
    "disable_per_channel_for_dense_layers",
    "denylisted_nodes",
)


def quantize(float_model: bytes, recipe: Recipe, calibration: Calibration | None, io: str) -> bytes:
    """int8 weights, and activations as the recipe says, from the ranges of ``calibration``.

    The layers that the recipe's precision names stay float, and it is proven that only they do.
    """
    assert calibration is not None, "a recipe of this back end needs calibration"
    wanted = nodes(float_model, recipe.precision) if recipe.precision else {}
    left_float = {*wanted, *followers(float_model, wanted)} if wanted else set()
    content = _quantized(float_model, recipe, calibration, io, left_float)
    if wanted:
        content = store_float16(content, wanted)
        check_precision(content, wanted, lambda: _quantized(float_model, recipe, calibration, io, ()))
    return content


def _quantized(
    float_model: bytes, recipe: Recipe, calibration: Calibration, io: str, left_float: Collection[str]
) -> bytes:
    function = _mlir_quantize()
    import tensorflow as tf

    model = flatbuffer.read(with_intermediates(float_model))
    set_ranges(model, calibration.ranges)
    per_tensor = recipe.granularity == "tensor"
    options: dict[str, Any] = {
        "disable_per_channel": per_tensor,
        "disable_per_channel_for_dense_layers": per_tensor,
        # "fully" would force int8 inputs and outputs whatever io says; what can be quantized is, either way.
        "fully_quantize": False,
        "input_data_type": tf.as_dtype(io),
        "output_data_type": tf.as_dtype(io),
        # Only whole names count, with all ";" parts; others are ignored without a word.
        "denylisted_nodes": set(left_float) or None,
    }
    with _silence():
        try:
            content = function(flatbuffer.write(model), **options)
        except Exception as cause:
            raise ToolError(
                "TensorFlow's quantizer failed on this model.",
                why=" ".join(str(cause).split())[:600] or type(cause).__name__,
                fixes=["Choose a recipe of the other back end: --recipe dynamic-int8 or --recipe float16."],
            ) from cause
    return bytes(content)


def _mlir_quantize() -> Callable[..., bytes]:
    """The function; raises ToolError when this TensorFlow does not have it."""
    try:
        from tensorflow.lite.python.convert import mlir_quantize
    except ImportError as cause:
        raise ToolError(
            "Integer quantization needs TensorFlow.",
            why=f"Its quantizer cannot be imported here ({cause}).",
            fixes=["pip install 'tfmobile[convert]'", "--recipe dynamic-int8 needs only litert-quantizer."],
        ) from cause
    missing = [name for name in ARGUMENTS if name not in inspect.signature(mlir_quantize).parameters]
    if missing:
        raise ToolError(
            "This version of TensorFlow has another quantizer interface.",
            why=f"mlir_quantize does not know {', '.join(missing)}.",
            fixes=["pip install 'tensorflow>=2.21,<2.22'"],
        )
    found: Callable[..., bytes] = mlir_quantize
    return found


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The C++ quantizer prints its settings to file descriptor 2, past Python."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
