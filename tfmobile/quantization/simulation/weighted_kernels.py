"""Layers with weights: sums of products of integers, a bias, one multiplication to the output's scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfmobile.quantization.simulation.kernel import Call, Computed, Grid, activated, round_half_even
from tfmobile.quantization.simulation.reading import Tensor


def convolution(call: Call) -> Computed:
    """CONV_2D: filter [out, height, width, in]."""
    weights = call.constant(1).astype(np.float32).transpose(1, 2, 3, 0)
    sums = call.tf.nn.conv2d(call.grids[0], weights, call.strides, call.padding, dilations=_dilations(call))
    return _layer(call, sums, call.data, 1, 2)


def depthwise(call: Call) -> Computed:
    """DEPTHWISE_CONV_2D: filter [1, height, width, in · multiplier]."""
    stored = call.constant(1).astype(np.float32)
    channels = call.data.shape[-1]
    weights = stored.reshape(*stored.shape[1:3], channels, stored.shape[3] // channels)
    sums = call.tf.nn.depthwise_conv2d(
        call.grids[0], weights, [1, *call.strides, 1], call.padding, dilations=_dilations(call)
    )
    return _layer(call, sums, call.data, 1, 2)


def dense(call: Call) -> Computed:
    """FULLY_CONNECTED: weights [out, in]."""
    weights = np.ascontiguousarray(call.constant(1).astype(np.float32).T)
    flat = call.tf.reshape(call.grids[0], [-1, weights.shape[0]])
    return _layer(call, call.tf.matmul(flat, weights), call.data, 1, 2, call.shape())


def transposed(call: Call) -> Computed:
    """TRANSPOSE_CONV: output shape, filter [out, height, width, in], data."""
    weights = call.constant(1).astype(np.float32).transpose(1, 2, 0, 3)
    data = call.operator.inputs[2]
    assert data is not None
    grid = call.grids[2]
    size = [call.tf.shape(grid)[0], *call.output.shape[1:]]
    sums = call.tf.nn.conv2d_transpose(grid, weights, size, call.strides, call.padding)
    return _layer(call, sums, data, 1, 3)


def _dilations(call: Call) -> list[int]:
    return [int(call.option("dilationHFactor", 1)), int(call.option("dilationWFactor", 1))]


def _layer(
    call: Call, products: Grid, data: Tensor, weights: int, bias: int, shape: list[int] | None = None
) -> Computed:
    """Add the bias, scale to the output, round, clip."""
    tf = call.tf
    stored = call.operator.inputs[weights]
    assert stored is not None
    added = call.optional(bias)
    sums = products if added is None else products + added.astype(np.float32)
    step = data.scale * stored.scales
    if call.adjust is not None:
        sums = call.adjust(sums, step)
    grid = round_half_even(tf, sums * (step / call.output.scale))
    grid = activated(tf, grid, call.output, call.activation)
    return Computed(grid if shape is None else tf.reshape(grid, shape), sums, step)


WEIGHTED: Mapping[str, Callable[[Call], Computed]] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "TRANSPOSE_CONV": transposed,
}
WEIGHTS = 1
"""Which input of these are the weights."""
