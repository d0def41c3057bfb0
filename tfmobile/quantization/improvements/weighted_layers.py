"""Layers with constant weights, and their weights seen by output channel or by input channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfmobile.graph.attributes import aligned
from tfmobile.graph.edit import GraphEditor, constant, in_order
from tfmobile.graph.linear import is_channel_first, output_channels, scaled
from tfmobile.graph.match import PASS_THROUGH, attr_dtype, origin, source
from tfmobile.graph.model import Array, Graph, Node, TensorRef
from tfmobile.scheme.fusion import Fusion, fusion
from tfmobile.scheme.int8 import LAYERS

KINDS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")


@dataclass(frozen=True)
class WeightedLayer:
    """A layer, its bias and its activation, which one int8 operator computes.

    ``name`` is its last node, ``node`` the one with weights. ``weights`` and ``bias`` are the constants it reads, where
    ``bias_node`` adds the bias. ``sums`` is what it gives before ``activation`` ("", Relu or Relu6).
    """

    name: str
    node: Node
    weights: TensorRef
    channels: int
    bias_node: str = ""
    bias: TensorRef | None = None
    activation: str = ""

    @property
    def depthwise(self) -> bool:
        """Whether an output channel reads one input channel only."""
        return self.node.op == "DepthwiseConv2dNative"

    @property
    def data(self) -> TensorRef:
        """What it reads."""
        return self.node.inputs[0]

    @property
    def output(self) -> TensorRef:
        """What it gives."""
        return TensorRef(self.name)

    @property
    def sums(self) -> TensorRef:
        """What it gives before the activation."""
        return TensorRef(self.bias_node or self.node.name)

    def by_output(self, weights: Array) -> Array:
        """``weights`` as [output channels, weights of each]."""
        if self.depthwise:
            return weights.reshape(-1, self.channels).T
        moved = weights.T if self._turned else weights
        return np.moveaxis(moved, -1, 0).reshape(self.channels, -1)

    def by_input(self, weights: Array, channels: int) -> Array:
        """``weights`` as [input channels, weights of each]; of a flattened tensor, ``channels`` repeat."""
        if self.node.op == "MatMul":
            moved = weights.T if self._turned else weights
            return np.moveaxis(moved.reshape(-1, channels, self.channels), 1, 0).reshape(channels, -1)
        return np.moveaxis(weights, 2, 0).reshape(channels, -1)

    def takes(self, weights: Array, channels: int) -> bool:
        """Whether it can read a tensor of so many channels, channel by channel."""
        if self.node.op == "MatMul":
            return bool(weights.shape[1 if self._turned else 0] % channels == 0)
        return bool(weights.shape[2] == channels)

    def scale_outputs(self, weights: Array, scale: Array) -> Array:
        """Each output channel times ``scale[channel]``."""
        return scaled(self.node, weights, scale)

    def scale_inputs(self, weights: Array, scale: Array) -> Array:
        """Each input channel times ``scale[channel]``."""
        if self.node.op != "MatMul":
            return weights * scale.reshape(1, 1, -1, 1)
        axis = 1 if self._turned else 0
        repeated = np.tile(scale, weights.shape[axis] // scale.size)
        return np.asarray(weights * (repeated if axis else repeated[:, None]))

    @property
    def _turned(self) -> bool:
        return self.node.op == "MatMul" and bool(self.node.attrs.get("transpose_b", False))


def weighted_layers(graph: Graph) -> tuple[tuple[WeightedLayer, ...], tuple[str, ...]]:
    """The layers of ``graph`` in execution order, and a sentence for each that is left alone."""
    editor = GraphEditor(graph)
    found: list[WeightedLayer] = []
    left: list[str] = []
    for node in in_order(graph):
        if node.op not in LAYERS:
            continue
        fused = fusion(editor, node)
        reason = _unfit(editor, node, fused)
        if reason:
            left.append(f"Left {fused.tail} alone: {reason}.")
            continue
        found.append(_layer(editor, node, fused))
    return tuple(found), tuple(left)


def _unfit(editor: GraphEditor, node: Node, fused: Fusion) -> str:
    if node.op not in KINDS or attr_dtype(node) != "float32":
        return f"{node.op} of {attr_dtype(node) or 'this type'} is not handled"
    if source(editor, node.inputs[1]).value is None or source(editor, node.inputs[0]).value is not None:
        return "its weights are not the one constant that it reads"
    if is_channel_first(node) or node.attrs.get("transpose_a", False):
        return "its channels are not the last axis"
    if fused.batch_norm:
        return "a batch norm behind it is not folded"
    value = source(editor, node.inputs[1]).value
    bias = source(editor, fused.bias[1]).value if fused.bias else None
    assert value is not None
    if bias is not None and bias.size != output_channels(node, value):
        return "its bias is one number for all channels"
    return ""


def _layer(editor: GraphEditor, node: Node, fused: Fusion) -> WeightedLayer:
    value = source(editor, node.inputs[1]).value
    assert value is not None
    bias_node, bias = fused.bias or ("", None)
    return WeightedLayer(
        fused.tail, node, node.inputs[1], output_channels(node, value), bias_node, bias, fused.activation
    )


class WeightEdits:
    """Weights and biases of layers under change, in float64. ``finish`` writes them under the names they had.

    A constant that others read, too, is copied for the layer; ``copied`` says so.
    """

    def __init__(self, graph: Graph) -> None:
        self._editor = GraphEditor(graph)
        self._values: dict[tuple[str, int], Array] = {}
        self._layers: dict[str, WeightedLayer] = {}
        self.copied: list[str] = []

    def weights(self, layer: WeightedLayer) -> Array:
        """The layer's weights as they are now; not to be written to."""
        return self._value(layer, 0, layer.weights)

    def bias(self, layer: WeightedLayer) -> Array:
        """The layer's bias [channels]; zeros when it has none."""
        return np.zeros(layer.channels) if layer.bias is None else self._value(layer, 1, layer.bias).reshape(-1)

    def set_weights(self, layer: WeightedLayer, value: Array) -> None:
        """Give the layer other weights, of the same shape."""
        self._set(layer, 0, value)

    def set_bias(self, layer: WeightedLayer, value: Array) -> None:
        """Give the layer another bias; one without a bias can only keep zeros."""
        if layer.bias is not None:
            self._set(layer, 1, value)
        elif np.any(value):
            raise ValueError(f"the layer '{layer.name}' has no bias")

    def finish(self) -> Graph:
        """The graph with all changes."""
        for (name, place), value in self._values.items():
            self._write(self._layers[name], place, value)
        return self._editor.finish(prune=False)

    def _value(self, layer: WeightedLayer, place: int, ref: TensorRef) -> Array:
        if (layer.name, place) in self._values:
            return self._values[layer.name, place]
        value = source(self._editor, ref).value
        assert value is not None
        return value.astype(np.float64)

    def _set(self, layer: WeightedLayer, place: int, value: Array) -> None:
        self._values[layer.name, place] = value
        self._layers[layer.name] = layer

    def _write(self, layer: WeightedLayer, place: int, value: Array) -> None:
        ref = layer.bias if place else layer.weights
        assert ref is not None
        node = source(self._editor, ref)
        before = node.value
        assert before is not None
        new = value.reshape(before.shape).astype(before.dtype)
        if np.array_equal(new, before):
            return
        if self._owned(ref):
            self._editor.update(node.name, attrs={**node.attrs, "value": aligned(new)})
            return
        reader = self._editor[layer.bias_node if place else layer.node.name]
        copy = self._editor.add(constant(self._editor.fresh(node.name), new), beside=reader.name)
        inputs = tuple(TensorRef(copy.name) if one == ref else one for one in reader.inputs)
        self._editor.update(reader.name, inputs=inputs)
        self.copied.append(f"Gave {layer.name} its own copy of '{node.name}', which other nodes read, too.")

    def _owned(self, ref: TensorRef) -> bool:
        """Whether nothing else reads the constant that ``ref`` is a copy of."""
        end = origin(self._editor, ref)
        while self._editor.only_reader(ref) is not None:
            if ref == end:
                return True
            ref = self._editor[ref.node].inputs[0]
            assert self._editor[end.node].op not in PASS_THROUGH
        return False
