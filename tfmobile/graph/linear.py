"""Layers that are linear in constant weights: where the weights are, and which axes of them are the output channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.match import attr_text
from tfmobile.graph.model import Array, Node


@dataclass(frozen=True)
class LinearOp:
    """``weights`` is the index of the weights among the inputs; ``ranks`` the ranks its output can have."""

    weights: int
    rank: int | None
    channel_first: tuple[str, ...] = ()


LINEAR_OPS: Mapping[str, LinearOp] = {
    "Conv2D": LinearOp(1, 4, ("NCHW",)),
    "DepthwiseConv2dNative": LinearOp(1, 4, ("NCHW",)),
    "Conv2DBackpropInput": LinearOp(1, 4, ("NCHW",)),
    "Conv3D": LinearOp(1, 5, ("NCDHW",)),
    "MatMul": LinearOp(1, 2),
    "BatchMatMul": LinearOp(1, None),
    "BatchMatMulV2": LinearOp(1, None),
}

BATCH_NORMS: Mapping[str, float] = {
    "FusedBatchNorm": 1e-4,
    "FusedBatchNormV2": 1e-4,
    "FusedBatchNormV3": 1e-4,
    "BatchNormWithGlobalNormalization": 0.0,
}
"""Batch-norm ops and the epsilon that stands for an attribute left out."""


def is_channel_first(node: Node) -> bool:
    """Whether the layer's channels are axis 1 of its output (NCHW) and not the last one."""
    return attr_text(node, "data_format", "NHWC") in LINEAR_OPS[node.op].channel_first


def output_channels(node: Node, weights: Array) -> int:
    """How many channels the layer gives."""
    if node.op == "DepthwiseConv2dNative":
        return int(weights.shape[2] * weights.shape[3])
    return int(weights.shape[_axis(node, weights)])


def scaled(node: Node, weights: Array, scale: Array) -> Array:
    """The weights that make each output channel ``scale[channel]`` times what it was. float64 in, float64 out."""
    if node.op == "DepthwiseConv2dNative":
        # Filter [H, W, in, multiplier]; output channel = in · multipliers + multiplier.
        return weights * scale.reshape(weights.shape[2:])
    shape = np.ones(weights.ndim, int)
    shape[_axis(node, weights)] = scale.size
    return weights * scale.reshape(tuple(shape))


def _axis(node: Node, weights: Array) -> int:
    """The output-channel axis: [H, W, in, out] for convolutions, [H, W, out, in] for a transposed one."""
    if node.op == "Conv2DBackpropInput":
        return 2
    turned = node.attrs.get("transpose_b" if node.op == "MatMul" else "adj_y", False)
    return weights.ndim - (2 if node.op in ("MatMul", "BatchMatMul", "BatchMatMulV2") and turned else 1)
