"""Move weights onto the 4-bit grid with the least squared error, before a back end that only knows minimum and maximum.

Per output channel the scale s is searched that minimizes Σ (w − s·clip(round(w/s), −7, 7))². Every channel keeps an
element at ±7·s, so that a min-max quantizer finds the same s again and reproduces the grid exactly. Banner et al. 2019,
"Post training 4-bit quantization", https://arxiv.org/abs/1810.05723, with the minimum found by search.
"""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer

# Operators with 4-bit kernels, and the axis of their weights (operand 1) that is the output channel.
CHANNEL_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0}
RATIOS = np.linspace(1.0, 0.4, 61)
"""Tried clipping points, as fractions of the largest absolute weight of the channel."""
LEVELS = 7


def snap_weights(float_model: bytes) -> bytes:
    """The same model with the float weights of CHANNEL_AXIS's operators on their best 4-bit grids."""
    model = flatbuffer.read(float_model)
    done: set[int] = set()
    for subgraph in model.subgraphs:
        for operator in subgraph.operators or ():
            axis = CHANNEL_AXIS.get(flatbuffer.op_name(model, operator))
            if axis is None:
                continue
            tensor = subgraph.tensors[int(operator.inputs[1])]
            weights = flatbuffer.tensor_data(model, tensor)
            if weights is None or weights.dtype != np.float32 or tensor.buffer in done:
                continue
            done.add(tensor.buffer)
            snapped = np.moveaxis(best_grid(np.moveaxis(weights, axis, 0)), 0, axis)
            model.buffers[tensor.buffer].data = np.frombuffer(snapped.tobytes(), np.uint8)
    return flatbuffer.write(model)


def best_grid(weights: Array) -> Array:
    """``weights``, float32 with the channel first, each channel on its best symmetric 4-bit grid."""
    channels = weights.reshape(weights.shape[0], -1)
    largest = np.abs(channels).max(axis=1, keepdims=True)
    result = channels
    lowest = np.full_like(largest, np.inf)
    for ratio in RATIOS:
        scale = np.maximum(largest * np.float32(ratio / LEVELS), np.finfo(np.float32).tiny)
        candidate = np.clip(np.rint(channels / scale), -LEVELS, LEVELS) * scale
        error = np.square(candidate - channels).sum(axis=1, keepdims=True)
        better = error < lowest
        result = np.where(better, candidate, result)
        lowest = np.where(better, error, lowest)
    return result.reshape(weights.shape).astype(np.float32)
