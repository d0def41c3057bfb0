"""Move weights onto 4-bit grids that keep the sums of every kernel and channel, before a min-max back end.

Two steps per output channel, both without data:

- the scale s that minimizes Σ (w − s·q)² with q = clip(round(w/s), −7, 7), by search (Banner et al. 2019,
  https://arxiv.org/abs/1810.05723, minimize the same by formula);
- SQuant (Guo et al. 2022, https://arxiv.org/abs/2202.07471): flip the rounding of the elements that were rounded
  furthest, until the errors of each kernel, then of each channel, sum to less than half a step. Errors that do not
  cancel shift the mean of what follows, which costs more accuracy than their size.

Every channel keeps an element at ±7·s, so that a min-max quantizer finds the same s and reproduces the grid exactly.
"""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer

# Operators with 4-bit kernels, and the axis of their weights (operand 1) that is the output channel.
CHANNEL_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0}
RATIOS = np.linspace(1.0, 0.4, 31)
"""Tried clipping points, as fractions of the largest absolute weight of the channel."""
LEVELS = 7


def snap_weights(float_model: bytes) -> bytes:
    """The same model with the float weights of CHANNEL_AXIS's operators on 4-bit grids."""
    model = flatbuffer.read(float_model)
    done: set[int] = set()
    for subgraph in model.subgraphs:
        for operator in subgraph.operators or ():
            axis = CHANNEL_AXIS.get(flatbuffer.op_name(model, operator))
            if axis is None:
                continue
            tensor = subgraph.tensors[int(operator.inputs[1])]
            weights = flatbuffer.tensor_data(model, tensor)
            if weights is None or weights.dtype != np.float32 or tensor.buffer in done or weights.size == 0:
                continue
            done.add(tensor.buffer)
            snapped = np.moveaxis(snap(np.moveaxis(weights, axis, 0)), 0, axis)
            model.buffers[tensor.buffer].data = np.frombuffer(snapped.tobytes(), np.uint8)
    return flatbuffer.write(model)


def snap(weights: Array) -> Array:
    """float32 weights, output channel first and input channel last, on their grids; same shape."""
    channels = weights.reshape(weights.shape[0], -1)
    scale = best_scale(channels)
    wanted = channels / scale
    levels = np.clip(np.rint(wanted), -LEVELS, LEVELS)
    if weights.ndim == 4 and weights.shape[1] * weights.shape[2] > 1:
        levels = _from_kernels(keep_sums(_kernels(levels, weights), _kernels(wanted, weights)), weights)
    return (keep_sums(levels, wanted) * scale).reshape(weights.shape).astype(np.float32)


def best_scale(channels: Array) -> Array:
    """The scale of every row, as a column, with the least squared error on a symmetric 4-bit grid."""
    largest = np.abs(channels).max(axis=1, keepdims=True)
    best: Array = np.ones_like(largest)
    lowest = np.full_like(largest, np.inf)
    for ratio in RATIOS:
        scale = np.maximum(largest * np.float32(ratio / LEVELS), np.finfo(np.float32).tiny)
        levels = np.clip(np.rint(channels / scale), -LEVELS, LEVELS)
        error = np.square(levels * scale - channels).sum(axis=1, keepdims=True)
        best = np.where(error < lowest, scale, best)
        lowest = np.minimum(error, lowest)
    return best


def keep_sums(levels: Array, wanted: Array) -> Array:
    """``levels`` with as many roundings of each row flipped as bring its sum next to that of ``wanted``.

    Those flip that were rounded furthest in the direction of the excess. Clipped elements and ±7 stay.
    """
    error = levels - wanted
    excess = error.sum(axis=1, keepdims=True)
    direction = np.sign(excess)
    gain = error * direction
    free = (np.abs(levels) < LEVELS) & (gain > 0) & (gain < 0.501)
    rank = np.argsort(np.argsort(np.where(free, -gain, 1.0), axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(np.where(free & (rank < np.rint(np.abs(excess))), levels - direction, levels))


def _kernels(rows: Array, weights: Array) -> Array:
    """One row a kernel: output channel × input channel."""
    return np.moveaxis(rows.reshape(weights.shape), 3, 1).reshape(weights.shape[0] * weights.shape[3], -1)


def _from_kernels(kernels: Array, weights: Array) -> Array:
    out, height, width, inside = weights.shape
    return np.moveaxis(kernels.reshape(out, inside, height, width), 1, 3).reshape(out, -1)
