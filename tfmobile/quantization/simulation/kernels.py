"""What the runtime's integer kernels compute, in TensorFlow: float32 tensors that hold integers.

A grid is a tensor of integers counted from the zero point, so that padding is 0 and real = scale · integer. Sums of
products stay below 2^24 in practice, so float32 holds them exactly. The arithmetic is that of XNNPACK, which the
runtime uses by default (https://github.com/google/XNNPACK, src/microparams-init.c and src/reference/), and where
XNNPACK has no kernel TFLite's own (https://github.com/google-ai-edge/LiteRT, tflite/kernels/internal/reference/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.quantization.simulation.reading import Operator, Tensor

Grid: TypeAlias = Any
"""A float32 tf.Tensor of integers."""
Adjust: TypeAlias = Callable[[Grid, Array], Grid]
"""Gets a layer's sums with bias, [..., channels], and the real value of 1 in them, [1 or channels]; gives new sums."""

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME = 0


@dataclass(frozen=True)
class Computed:
    """``grid`` is the output. ``sums``: before rounding and activation, where 1 stands for ``step`` [1 or channels]."""

    grid: Grid
    sums: Grid | None = None
    step: Array | None = None


@dataclass(frozen=True)
class Call:
    """One operator to compute. ``grids``: its inputs, None for those that are not activations.

    ``free``: the first dimension is any number of samples, whatever the .tflite says.
    """

    tf: Any
    operator: Operator
    grids: Sequence[Grid]
    free: bool
    adjust: Adjust | None = None

    @property
    def output(self) -> Tensor:
        return self.operator.outputs[0]

    @property
    def data(self) -> Tensor:
        found = self.operator.inputs[0]
        assert found is not None
        return found

    def constant(self, place: int) -> Array | None:
        """The stored value of an input."""
        tensor = self.operator.inputs[place] if place < len(self.operator.inputs) else None
        return None if tensor is None else tensor.value

    def shape(self) -> list[int]:
        """The output's shape, for a Reshape."""
        sizes = list(self.output.shape)
        return [-1, *sizes[1:]] if self.free and sizes else sizes

    def option(self, name: str, default: Any) -> Any:
        return self.operator.options.get(name, default)


def round_half_even(tf: Any, values: Any) -> Any:
    """What XNNPACK does: the rounding mode of the processor."""
    return tf.round(values)


def round_half_away(tf: Any, values: Any) -> Any:
    """What C's ``round`` does, in TFLite's own kernels. Exact below 2^22."""
    return tf.sign(values) * tf.floor(tf.abs(values) + 0.5)


def clipped(tf: Any, grid: Grid, output: Tensor) -> Grid:
    """Clip to what the output's type holds."""
    low, high = output.bounds
    return tf.clip_by_value(grid, np.float32(low), np.float32(high))


def activated(tf: Any, grid: Grid, output: Tensor, activation: int) -> Grid:
    """Clip to what the output's type and the fused activation allow."""
    low, high = output.bounds
    if activation in (RELU, RELU6):
        low = max(low, 0)
    if activation == RELU6:
        high = min(high, int(np.rint(np.float32(6) / output.scale)))
    if activation == RELU_N1_TO_1:
        one = int(np.rint(np.float32(1) / output.scale))
        low, high = max(low, -one), min(high, one)
    return tf.clip_by_value(grid, np.float32(low), np.float32(high))


def convolution(call: Call) -> Computed:
    """CONV_2D: filter [out, height, width, in]."""
    weights = _weights(call, 1).transpose(1, 2, 3, 0)
    sums = call.tf.nn.conv2d(call.grids[0], weights, _strides(call), _padding(call), dilations=_dilations(call))
    return _layer(call, sums, call.data, 1, 2)


def depthwise(call: Call) -> Computed:
    """DEPTHWISE_CONV_2D: filter [1, height, width, in · multiplier]."""
    stored = _weights(call, 1)
    channels = call.data.shape[-1]
    weights = stored.reshape(*stored.shape[1:3], channels, stored.shape[3] // channels)
    sums = call.tf.nn.depthwise_conv2d(
        call.grids[0], weights, [1, *_strides(call), 1], _padding(call), dilations=_dilations(call)
    )
    return _layer(call, sums, call.data, 1, 2)


def dense(call: Call) -> Computed:
    """FULLY_CONNECTED: weights [out, in]."""
    weights = np.ascontiguousarray(_weights(call, 1).T)
    flat = call.tf.reshape(call.grids[0], [-1, weights.shape[0]])
    return _layer(call, call.tf.matmul(flat, weights), call.data, 1, 2, call.shape())


def transposed(call: Call) -> Computed:
    """TRANSPOSE_CONV: output shape, filter [out, height, width, in], data."""
    weights = _weights(call, 1).transpose(1, 2, 0, 3)
    data = call.operator.inputs[2]
    assert data is not None
    grid = call.grids[2]
    size = [call.tf.shape(grid)[0], *call.output.shape[1:]]
    sums = call.tf.nn.conv2d_transpose(grid, weights, size, _strides(call), _padding(call))
    return _layer(call, sums, data, 1, 3)


def _weights(call: Call, place: int) -> Array:
    found = call.constant(place)
    if found is None:
        raise NotConstantError
    return found.astype(np.float32)


class NotConstantError(Exception):
    """A kernel needs a constant that is computed."""


def _strides(call: Call) -> list[int]:
    return [int(call.option("strideH", 1)), int(call.option("strideW", 1))]


def _dilations(call: Call) -> list[int]:
    return [int(call.option("dilationHFactor", 1)), int(call.option("dilationWFactor", 1))]


def _padding(call: Call) -> str:
    return "SAME" if call.option("padding", SAME) == SAME else "VALID"


def _layer(
    call: Call, products: Grid, data: Tensor, weights: int, bias: int, shape: list[int] | None = None
) -> Computed:
    """Add the bias, scale to the output, round, clip."""
    tf = call.tf
    stored = call.operator.inputs[weights]
    assert stored is not None
    added = call.constant(bias)
    sums = products if added is None else products + added.astype(np.float32)
    step = data.scale * stored.scales
    if call.adjust is not None:
        sums = call.adjust(sums, step)
    grid = round_half_even(tf, sums * (step / call.output.scale))
    grid = activated(tf, grid, call.output, call.option("fusedActivationFunction", NONE))
    return Computed(grid if shape is None else tf.reshape(grid, shape), sums, step)


def add(call: Call) -> Computed:
    """ADD."""
    return _sum(call, 1)


def subtract(call: Call) -> Computed:
    """SUB."""
    return _sum(call, -1)


def _sum(call: Call, sign: int) -> Computed:
    """XNNPACK's: both inputs times a whole number of 21 bits, added, shifted back with rounding upwards from half."""
    tf = call.tf
    scales = [np.float32(one.scale / call.output.scale) for one in call.operator.inputs[:2] if one is not None]
    shift = 20 - int(np.floor(np.log2(max(scales))))
    first, second = (int(np.rint(np.float64(scale) * 2.0**shift)) for scale in scales)
    # Products of 8 and 21 bits: float64 holds them exactly, float32 does not.
    one, two = (tf.cast(grid, tf.float64) for grid in call.grids[:2])
    total = one * float(first) + two * float(sign * second)
    grid = tf.cast(tf.floor((total + 2.0 ** (shift - 1)) * 2.0**-shift), tf.float32)
    return Computed(activated(tf, grid, call.output, call.option("fusedActivationFunction", NONE)))


def multiply(call: Call) -> Computed:
    """MUL."""
    one, two = call.operator.inputs[:2]
    assert one is not None
    assert two is not None
    scale = one.scale * two.scale / call.output.scale
    grid = round_half_even(call.tf, call.grids[0] * call.grids[1] * scale)
    return Computed(activated(call.tf, grid, call.output, call.option("fusedActivationFunction", NONE)))


def mean(call: Call) -> Computed:
    """MEAN over constant axes."""
    axes = call.constant(1)
    if axes is None:
        raise NotConstantError
    places = sorted({int(axis) % len(call.data.shape) for axis in axes.ravel()})
    count = int(np.prod([call.data.shape[place] for place in places]))
    total = call.tf.reduce_sum(call.grids[0], places, keepdims=bool(call.option("keepDims", False)))
    scale = np.float32(call.data.scale / call.output.scale / np.float32(count))
    return Computed(activated(call.tf, round_half_even(call.tf, total * scale), call.output, NONE))


def average_pool(call: Call) -> Computed:
    """AVERAGE_POOL_2D: the mean of the stored integers, rounded half away from 0."""
    tf = call.tf
    zero = np.float32(call.data.zero_point)
    window, strides = _window(call)
    stored = tf.nn.avg_pool2d(call.grids[0] + zero, window, strides, _padding(call))
    grid = round_half_away(tf, stored) - zero
    return Computed(activated(tf, grid, call.output, call.option("fusedActivationFunction", NONE)))


def max_pool(call: Call) -> Computed:
    """MAX_POOL_2D."""
    window, strides = _window(call)
    grid = call.tf.nn.max_pool2d(call.grids[0], window, strides, _padding(call))
    return Computed(activated(call.tf, grid, call.output, call.option("fusedActivationFunction", NONE)))


def _window(call: Call) -> tuple[list[int], list[int]]:
    return [int(call.option("filterHeight", 1)), int(call.option("filterWidth", 1))], _strides(call)


def softmax(call: Call) -> Computed:
    """SOFTMAX over the last axis: a table of exponentials in float32."""
    tf = call.tf
    grid = call.grids[0]
    below = grid - tf.reduce_max(grid, -1, keepdims=True)
    powers = tf.exp(below * np.float32(call.data.scale * np.float32(call.option("beta", 1.0))))
    inverse = 1.0 / (tf.reduce_sum(powers, -1, keepdims=True) * call.output.scale)
    # The output's zero point is its lowest integer: what the kernel rounds is counted from there.
    return Computed(activated(tf, round_half_away(tf, powers * inverse), call.output, NONE))


def requantize(call: Call) -> Computed:
    """QUANTIZE from integers to integers of another scale."""
    grid = round_half_even(call.tf, call.grids[0] * (call.data.scale / call.output.scale))
    return Computed(activated(call.tf, grid, call.output, NONE))


def reshape(call: Call) -> Computed:
    """RESHAPE, SQUEEZE, EXPAND_DIMS."""
    return Computed(call.tf.reshape(call.grids[0], call.shape()))


def pad(call: Call) -> Computed:
    """PAD, with the zero point."""
    sizes = call.constant(1)
    if sizes is None:
        raise NotConstantError
    return Computed(call.tf.pad(call.grids[0], sizes))


def transpose(call: Call) -> Computed:
    """TRANSPOSE."""
    order = call.constant(1)
    if order is None:
        raise NotConstantError
    return Computed(call.tf.transpose(call.grids[0], order))


KERNELS: Mapping[str, Callable[[Call], Computed]] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "TRANSPOSE_CONV": transposed,
    "ADD": add,
    "SUB": subtract,
    "MUL": multiply,
    "MEAN": mean,
    "AVERAGE_POOL_2D": average_pool,
    "MAX_POOL_2D": max_pool,
    "SOFTMAX": softmax,
    "QUANTIZE": requantize,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "PAD": pad,
    "TRANSPOSE": transpose,
}
"""Operators that compute with integers of their own. All others: in float, then rounded to the output's grid."""

WEIGHTED: Mapping[str, int] = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
"""Layers with weights, and at which input they are."""
