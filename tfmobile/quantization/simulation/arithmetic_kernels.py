"""Sums, products, means, pools, softmax and changes of scale, as XNNPACK or TFLite rounds each of them."""

from __future__ import annotations

import numpy as np

from tfmobile.quantization.simulation.kernel import (
    NONE,
    Call,
    Computed,
    activated,
    round_half_away,
    round_half_even,
    round_half_up,
)


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
    return Computed(activated(tf, grid, call.output, call.activation))


def multiply(call: Call) -> Computed:
    """MUL."""
    one, two = call.operator.inputs[:2]
    assert one is not None
    assert two is not None
    scale = one.scale * two.scale / call.output.scale
    grid = round_half_even(call.tf, call.grids[0] * call.grids[1] * scale)
    return Computed(activated(call.tf, grid, call.output, call.activation))


def batch_matmul(call: Call) -> Computed:
    """BATCH_MATMUL of two activations: TFLite's, which rounds twice, on the way to the output's scale and there."""
    tf = call.tf
    one, two = call.operator.inputs[:2]
    assert one is not None
    assert two is not None
    turned = {name: bool(call.option(option, False)) for name, option in (("adj_x", "adjX"), ("adj_y", "adjY"))}
    sums = tf.raw_ops.BatchMatMulV2(x=call.grids[0], y=call.grids[1], **turned)
    fraction, power = np.frexp(np.float64(one.scale) * np.float64(two.scale) / np.float64(call.output.scale))
    first = round_half_away(tf, tf.cast(sums, tf.float64) * (2.0 ** max(power, 0) * fraction))
    grid = tf.cast(round_half_away(tf, first * 2.0 ** min(power, 0)), tf.float32)
    return Computed(activated(tf, grid, call.output, NONE))


def mean(call: Call) -> Computed:
    """MEAN over constant axes."""
    axes = call.constant(1)
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
    stored = tf.nn.avg_pool2d(call.grids[0] + zero, window, strides, call.padding)
    grid = round_half_away(tf, stored) - zero
    return Computed(activated(tf, grid, call.output, call.activation))


def max_pool(call: Call) -> Computed:
    """MAX_POOL_2D."""
    window, strides = _window(call)
    grid = call.tf.nn.max_pool2d(call.grids[0], window, strides, call.padding)
    return Computed(activated(call.tf, grid, call.output, call.activation))


def _window(call: Call) -> tuple[list[int], list[int]]:
    return [int(call.option("filterHeight", 1)), int(call.option("filterWidth", 1))], call.strides


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


def leaky_relu(call: Call) -> Computed:
    """LEAKY_RELU: XNNPACK's, multipliers of 8 bits behind the point, rounding upwards from half."""
    tf, grid = call.tf, call.grids[0]
    ratio = call.data.scale / call.output.scale
    above = np.rint(np.float32(256) * ratio)
    below = np.rint(np.float32(256) * np.float32(call.option("alpha", 0.2)) * ratio)
    product = tf.where(grid >= 0, grid * np.float32(above), grid * np.float32(below))
    return Computed(activated(tf, round_half_up(tf, product * np.float32(1 / 256)), call.output, NONE))


def resize_bilinear(call: Call) -> Computed:
    """RESIZE_BILINEAR, rounding upwards from half. XNNPACK's weights have 11 bits; here they have more."""
    options = {"align_corners": "alignCorners", "half_pixel_centers": "halfPixelCenters"}
    chosen = {name: bool(call.option(option, False)) for name, option in options.items()}
    resized = call.tf.raw_ops.ResizeBilinear(images=call.grids[0], size=call.constant(1), **chosen)
    return Computed(activated(call.tf, round_half_up(call.tf, resized), call.output, NONE))
