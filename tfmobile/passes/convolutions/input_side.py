"""Layers from the side of their input: which axis of the weights are its channels, and what a constant input gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfmobile.graph.linear import output_channels
from tfmobile.graph.model import Array, Node, Shape
from tfmobile.passes.convolutions.windows import own_pads, window_of

_DATA: Mapping[str, int] = {"Conv2DBackpropInput": 2}
_DENSE = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2"})


def data_place(layer: Node) -> int:
    """The index of the data among the layer's inputs."""
    return _DATA.get(layer.op, 0)


def reads_channels_last(layer: Node) -> bool:
    """False for a matrix product that reads its data turned, so that the channels are not its last axis."""
    return not layer.attrs.get("transpose_a" if layer.op == "MatMul" else "adj_x", False)


def input_channels(layer: Node, weights: Array) -> int:
    """How many channels the layer reads; of a grouped convolution, those of one group."""
    return int(weights.shape[_axis(layer, weights)])


def weights_for(layer: Node, weights: Array, scale: Array, order: Array) -> Array:
    """The weights for an input ``x`` that do what the old ones do for ``scale · x[order]``, by channel."""
    axis = _axis(layer, weights)
    shape = np.ones(weights.ndim, int)
    shape[axis] = scale.size
    changed = weights * scale.reshape(tuple(shape))
    return np.take(changed, np.argsort(order), axis)


def response(layer: Node, weights: Array, offset: Array) -> Array | None:
    """What each output channel gets from an input that is ``offset`` everywhere; None when it is not the same number
    at each place, the border aside."""
    if not offset.any():
        return np.zeros(output_channels(layer, weights))
    if layer.op == "Conv2DBackpropInput":
        return None
    axis = _axis(layer, weights)
    shape = np.ones(weights.ndim, int)
    shape[axis] = offset.size
    values = weights * offset.reshape(tuple(shape))
    if layer.op == "DepthwiseConv2dNative":
        result: Array = values.sum(axis=(0, 1)).reshape(-1)
        return result
    if layer.op in _DENSE:
        return values.sum(axis=axis) if weights.ndim == 2 else None
    return np.asarray(values.sum(axis=tuple(range(weights.ndim - 1))))


def pads_of(layer: Node, weights: Array, shape: Shape) -> tuple[tuple[int, int], ...] | None:
    """The zeros that the layer puts around an input of ``shape``; none for a dense layer; None when not known, or when
    the outputs at the border see less of the input for another reason.
    """
    if layer.op in _DENSE:
        return ()
    if layer.op == "Conv2DBackpropInput":
        return None
    return own_pads(layer, window_of(layer, weights.shape), shape)


def _axis(layer: Node, weights: Array) -> int:
    if layer.op == "Conv2DBackpropInput":
        return weights.ndim - 1
    turned = layer.attrs.get("transpose_b" if layer.op == "MatMul" else "adj_y", False)
    return weights.ndim - (1 if layer.op in _DENSE and turned else 2)
