"""Tiny .tflite files for the tests of evaluation, built by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.runtime.tiny import Builder
from tfmobile.runtime import flatbuffer


def linear(
    weights: np.ndarray,
    *,
    bias: Sequence[float] | None = None,
    shape: Sequence[int] | None = None,
    softmax: bool = False,
) -> bytes:
    """y = x · weightsᵀ + bias, with weights [outputs, inputs]; ``shape`` is the input's, flattened in order."""
    outputs, inputs = weights.shape
    build = Builder()
    x = build.tensor("x", list(shape or (1, inputs)))
    w = build.tensor("w", weights.shape, value=weights)
    b = build.tensor("b", [outputs], value=bias if bias is not None else np.zeros(outputs))
    scores = build.tensor("scores", [1, outputs])
    build.operator("FULLY_CONNECTED", [x, w, b], [scores], build.schema.FullyConnectedOptionsT())
    if softmax:
        y = build.tensor("probabilities", [1, outputs])
        options = build.schema.SoftmaxOptionsT()
        options.beta = 1.0
        build.operator("SOFTMAX", [scores], [y], options)
        scores = y
    return flatbuffer.write(build.model([x], [scores]))


def quantized_picture(height: int, width: int, scale: float, zero_point: int) -> bytes:
    """y = relu(x) on a quantized int8 [1, height, width, 3] picture: answers what it is fed, where not negative."""
    build = Builder()
    x = build.tensor("x", [1, height, width, 3], "int8", scale=scale, zero_point=zero_point)
    y = build.tensor("y", [1, height, width, 3], "int8", scale=scale, zero_point=zero_point)
    build.operator("RELU", [x], [y])
    return flatbuffer.write(build.model([x], [y]))
