"""Turns of the ops that know a data_format, from channels first to channels last. The other way is never wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.match import attr_text
from tfmobile.graph.model import Attr, Node
from tfmobile.passes.layout.permutations import Perm, channels_last
from tfmobile.passes.layout.turns import Facts, Turn


@dataclass(frozen=True)
class Layer:
    """``data`` is the input with the channels; ``listed`` are inputs with one number an axis (sizes, strides)."""

    data: int = 0
    listed: tuple[int, ...] = ()


LAYERS: Mapping[str, Layer] = {
    "Conv2D": Layer(),
    "Conv3D": Layer(),
    "DepthwiseConv2dNative": Layer(),
    "Conv2DBackpropInput": Layer(2, (0,)),
    "Conv3DBackpropInputV2": Layer(2, (0,)),
    "FusedBatchNorm": Layer(),
    "FusedBatchNormV2": Layer(),
    "FusedBatchNormV3": Layer(),
    "BiasAdd": Layer(),
    "MaxPool": Layer(),
    "MaxPoolV2": Layer(0, (1, 2)),
    "AvgPool": Layer(),
    "MaxPool3D": Layer(),
    "AvgPool3D": Layer(),
    "DepthToSpace": Layer(),
    "SpaceToDepth": Layer(),
}
"""The weights of convolutions have the same order in both formats."""

FORMATS: Mapping[str, bytes] = {"NCHW": b"NHWC", "NCDHW": b"NDHWC"}
_LISTS = ("strides", "dilations", "ksize")


def format_of(node: Node) -> str:
    """The data_format, where it is one with the channels first; else empty."""
    found = attr_text(node, "data_format", "")
    return found if found.startswith("NC") else ""


def layer(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """A layer that is channels first, turned to channels last."""
    known = LAYERS[node.op]
    rank = len(perm)
    if format_of(node) not in FORMATS or rank not in (3, 4, 5) or perm != channels_last(rank):
        return None
    if facts.rank(node.inputs[known.data]) != rank:
        return None
    attrs: dict[str, Attr] = {"data_format": FORMATS[format_of(node)]}
    for key in _LISTS:
        found = node.attrs.get(key)
        if isinstance(found, tuple) and len(found) == rank:
            attrs[key] = tuple(found[axis] for axis in perm)
    pads = node.attrs.get("explicit_paddings")
    if isinstance(pads, tuple) and len(pads) == 2 * rank:
        attrs["explicit_paddings"] = tuple(pads[2 * axis + side] for axis in perm for side in (0, 1))
    if any(facts.shape(node.inputs[position]) not in ((rank,), (rank - 2,)) for position in known.listed):
        return None
    picks = {position: perm for position in known.listed if facts.shape(node.inputs[position]) == (rank,)}
    return Turn({known.data: perm}, {0: perm}, picks=picks, attrs=attrs)


def bias_add(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """A bias on the last axis: where that goes elsewhere, a sum. Else as other layers."""
    if format_of(node):
        return layer(facts, node, perm)
    last = len(perm) - 1
    if facts.rank(node.inputs[0]) != len(perm):
        return None
    if perm[last] == last:
        return Turn({0: perm}, {0: perm})
    bias = facts.value(node.inputs[1])
    if bias is None:
        return None
    full = bias.reshape((1,) * last + bias.shape).transpose(perm)
    return Turn({0: perm}, {0: perm}, {1: np.ascontiguousarray(full)}, op="AddV2")


def why_not(facts: Facts, node: Node) -> str:
    """Why a layer that is channels first has no turn; empty when it has one."""
    if node.op not in LAYERS or format_of(node) not in FORMATS:
        return f"how it would be with the channels last is not known ({format_of(node)})"
    rank = facts.rank(node.inputs[LAYERS[node.op].data])
    if rank is None:
        return "the rank of its input is not known"
    if layer(facts, node, channels_last(rank)) is None:
        return f"its input has {rank} axes, or its sizes are not one for each"
    return ""
