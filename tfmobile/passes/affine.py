"""Steps that scale and shift each channel by constants: batch norms in all their forms, biases, constant factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS
from tfmobile.graph.match import Constants, attr_text
from tfmobile.graph.model import Array, Node, TensorRef

_SUMS = frozenset({"Add", "AddV2", "BiasAdd", "Sub"})
_PRODUCTS = frozenset({"Mul", "RealDiv", "Div"})


@dataclass(frozen=True)
class Layout:
    """The output a step reads: ``channels`` of them, on the last axis or, ``first``, on axis 1 of ``rank`` axes."""

    channels: int
    rank: int | None
    first: bool = False


@dataclass(frozen=True)
class Step:
    """``node`` gives ``scale · input + offset``, per channel. ``multiplies``: the scale is not one."""

    node: Node
    scale: Array
    offset: Array
    multiplies: bool


Refused: TypeAlias = str
"""Why a node that looks like a step is none."""


def read_step(
    editor: GraphEditor, constants: Constants, node: Node, data: TensorRef, layout: Layout
) -> Step | Refused | None:
    """The step that ``node`` does on ``data``; a reason when it is a batch norm but not a step; None otherwise."""
    if node.op in BATCH_NORMS:
        return _batch_norm(editor, constants, node, data, layout)
    if node.op not in _SUMS | _PRODUCTS or len(node.inputs) != 2:
        return None
    if node.op == "BiasAdd" and is_nchw(node) != layout.first:
        return None
    other = node.inputs[1] if node.inputs[0] == data else node.inputs[0]
    value = None if other == data else constants(other)
    channel = None if value is None else per_channel(value, layout, bias=node.op == "BiasAdd")
    if channel is None:
        return None
    return _elementwise(node, data == node.inputs[0], channel)


def is_nchw(node: Node) -> bool:
    """Whether the op counts its channels on axis 1."""
    return attr_text(node, "data_format", "NHWC").startswith("NC")


def per_channel(value: Array, layout: Layout, *, bias: bool = False) -> Array | None:
    """``value``, broadcast against the layer's output, as one number a channel; None when it varies otherwise."""
    if bias:
        return value if value.shape == (layout.channels,) else None
    if value.ndim > (layout.rank or 2):
        return None
    axis = value.ndim - (layout.rank - 1 if layout.first and layout.rank else 1)
    if any(size != 1 for place, size in enumerate(value.shape) if place != axis):
        return None
    if value.size not in (1, layout.channels):
        return None
    return np.broadcast_to(value.reshape(-1), (layout.channels,))


def _elementwise(node: Node, data_is_first: bool, value: Array) -> Step | None:
    one, none = np.ones_like(value), np.zeros_like(value)
    if node.op in ("Add", "AddV2", "BiasAdd"):
        return Step(node, one, value, False)
    if node.op == "Sub":
        return Step(node, one, -value, False) if data_is_first else Step(node, -one, value, True)
    if node.op == "Mul":
        return Step(node, value, none, True)
    if not data_is_first or (value == 0).any():
        return None
    return Step(node, 1.0 / value, none, True)


def _batch_norm(
    editor: GraphEditor, constants: Constants, node: Node, data: TensorRef, layout: Layout
) -> Step | Refused:
    fused = node.op.startswith("Fused")
    refusal = _why_not(editor, node, data, layout, fused)
    if refusal:
        return refusal
    values = [value for ref in node.inputs[1:5] if (value := constants(ref)) is not None]
    if len(values) != 4 or any(value.shape != (layout.channels,) for value in values):
        return "its scale, offset, mean and variance are not all constants of one number a channel"
    if fused:
        gamma, beta, mean, variance = values
    else:  # BatchNormWithGlobalNormalization(t, m, v, beta, gamma)
        mean, variance, beta, gamma = values
        gamma = gamma if node.attrs.get("scale_after_normalization", True) else np.ones(layout.channels)
    epsilon = float(node.attrs.get("epsilon" if fused else "variance_epsilon", BATCH_NORMS[node.op]))
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
    return Step(node, scale, beta - mean * scale, True)


def _why_not(editor: GraphEditor, node: Node, data: TensorRef, layout: Layout, fused: bool) -> Refused | None:
    if node.inputs[0] != data:
        return "the layer's output is not what it normalizes"
    if not fused:
        return "it counts its channels last, the layer does not" if layout.first else None
    if node.attrs.get("is_training", True):
        return "it normalizes with the statistics of the batch (is_training is true)"
    if is_nchw(node) != layout.first:
        return "its data_format is not that of the layer it follows"
    if any(ref.node == node.name and ref.index for reader in editor.consumers(node.name) for ref in reader.inputs):
        return "its batch statistics are read"
    if any(ref.node == node.name and ref.index for ref in editor.outputs):
        return "its batch statistics are a model output"
    return None
