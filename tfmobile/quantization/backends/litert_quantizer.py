"""litert-quantizer on a float .tflite: float16, dynamic int8 and 4-bit weights. Needs no TensorFlow and no data."""

from __future__ import annotations

import contextlib
import io as text_io
import logging
import warnings
from typing import Any

from tfmobile.artifacts import Calibration
from tfmobile.errors import ToolError
from tfmobile.quantization.recipe import Recipe
from tfmobile.quantization.weight_grid import snap_weights

BITS = {"float16": 16, "int8": 8, "int4": 4}
FOUR_BIT_OPS = ("CONV_2D", "FULLY_CONNECTED", "EMBEDDING_LOOKUP")
"""Operators that the runtime has kernels with 4-bit weights for; the others get 8 bits."""


def quantize(float_model: bytes, recipe: Recipe, calibration: Calibration | None, io: str) -> bytes:
    """Smaller weights, float activations."""
    quantizer, qtyping = _package()
    content = snap_weights(float_model) if recipe.algorithm == "squant" else float_model
    with _silence():
        try:
            work = quantizer.Quantizer(bytearray(content))
            for operation, config, algorithm in _rules(recipe, qtyping, quantizer.AlgorithmName):
                work.update_quantization_recipe(".*", operation, config, algorithm_key=algorithm)
            result = work.quantize(enable_progress_bar=False, enable_progress_report=False)
        except Exception as cause:
            raise ToolError(
                "litert-quantizer failed on this model.",
                why=" ".join(str(cause).split())[:600] or type(cause).__name__,
                fixes=["--recipe float32 leaves the model as it is.", "--recipe int8 uses another back end."],
            ) from cause
    return bytes(result.quantized_model)


def _rules(recipe: Recipe, qtyping: Any, algorithms: Any) -> list[tuple[Any, Any, Any]]:
    """(operation, configuration, algorithm), later ones override earlier ones."""
    everything = qtyping.TFLOperationName.ALL_SUPPORTED
    if recipe.weights == "float16":
        weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        return [(everything, config, algorithms.FLOAT_CASTING)]
    algorithm = algorithms.MIN_MAX_UNIFORM_QUANT
    if recipe.weights != "int4":
        return [(everything, _integer_weights(recipe, BITS[recipe.weights], qtyping), algorithm)]
    narrow = _integer_weights(recipe, BITS["int4"], qtyping)
    names = [getattr(qtyping.TFLOperationName, name) for name in FOUR_BIT_OPS]
    return [
        (everything, _integer_weights(recipe, BITS["int8"], qtyping), algorithm),
        *((name, narrow, algorithm) for name in names),
    ]


def _integer_weights(recipe: Recipe, bits: int, qtyping: Any) -> Any:
    per_channel = recipe.granularity == "channel"
    granularity = qtyping.QuantGranularity.CHANNELWISE if per_channel else qtyping.QuantGranularity.TENSORWISE
    weights = qtyping.TensorQuantizationConfig(num_bits=bits, symmetric=True, granularity=granularity)
    integer = recipe.compute == "integer"
    return qtyping.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=qtyping.ComputePrecision.INTEGER if integer else qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=not integer,
        min_weight_elements=recipe.min_weight_elements,
    )


def _package() -> tuple[Any, Any]:
    try:
        from litert_quantizer import qtyping, quantizer
    except ImportError as cause:
        raise ToolError(
            "This recipe needs litert-quantizer.",
            why=f"It cannot be imported here ({cause}).",
            fixes=["pip install 'litert-quantizer>=0.11,<0.12'"],
        ) from cause
    return quantizer, qtyping


@contextlib.contextmanager
def _silence() -> Any:
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(text_io.StringIO()),
            contextlib.redirect_stderr(text_io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
