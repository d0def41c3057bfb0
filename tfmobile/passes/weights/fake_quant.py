"""FakeQuant nodes: on an activation, on weights, and the range that one has."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import output_channels
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.scheme.int8 import FAKE_QUANT, LAYERS, PER_CHANNEL, Range
from tfmobile.scheme.placement import WeightSite


def stored_range(graph: Graph, tensor: TensorRef) -> Range | None:
    """The range of the FakeQuant node that gives the tensor; None where it is computed."""
    node = graph.nodes[tensor.node]
    if node.op == "FakeQuantWithMinMaxArgs":
        return float(node.attrs.get("min", -6.0)), float(node.attrs.get("max", 6.0))
    ends = [source(graph.nodes, ref).value for ref in node.inputs[1:3]]
    low, high = (None if end is None or end.size != 1 else float(end.reshape(())) for end in ends)
    return None if low is None or high is None else (low, high)


def place_on_activation(editor: GraphEditor, tensor: TensorRef, one: Range) -> None:
    """Let all that read the tensor read it rounded to 8 bits. A model output keeps its name."""
    ends = np.asarray(one[0], np.float32), np.asarray(one[1], np.float32)
    node = editor[tensor.node]
    if tensor in editor.outputs and node.name not in editor.inputs and _has_one_output(editor, node):
        before = dataclasses.replace(node, name=editor.fresh(f"{node.name}/unrounded"))
        editor.add(before, beside=node.name)
        made = _fake_quant(editor, FAKE_QUANT, node.name, TensorRef(before.name), ends, beside=node.name)
        editor.replace(made)
        return
    readers = editor.readers(tensor)
    name = editor.fresh(f"{tensor.node}/{tensor.index}/fake_quant" if tensor.index else f"{tensor.node}/fake_quant")
    place = readers[0].name if readers else node.name
    editor.add(_fake_quant(editor, FAKE_QUANT, name, tensor, ends, beside=place), beside=place)
    for reader in readers:
        inputs = tuple(TensorRef(name) if ref == tensor else ref for ref in reader.inputs)
        editor.update(reader.name, inputs=inputs)


def _has_one_output(editor: GraphEditor, node: Node) -> bool:
    """Whether only the first output is used, so that a node of one output can take the name."""
    read = (ref for reader in editor.consumers(node.name) for ref in reader.inputs)
    return not any(ref.node == node.name and ref.index for ref in (*read, *editor.outputs))


def _fake_quant(
    editor: GraphEditor,
    op: str,
    name: str,
    tensor: TensorRef,
    ends: tuple[Array, Array],
    *,
    beside: str,
    narrow: bool = False,
) -> Node:
    """The node, and in the graph the constants it reads."""
    low, high = (
        editor.add_constant(f"{name}/{what}", end, beside=beside)
        for what, end in zip(("min", "max"), ends, strict=True)
    )
    attrs = {"num_bits": 8, "narrow_range": narrow}
    return Node(name, op, (tensor, low, high), (), attrs, editor[tensor.node].device)


def place_on_weights(editor: GraphEditor, sites: Sequence[WeightSite]) -> int:
    """Let the layers read their weights rounded to 8 bits; how many do. Layers that share weights share that, too."""
    rounded: dict[tuple[TensorRef, str], TensorRef] = {}
    for site in sites:
        layer = editor[site.node]
        value = source(editor, site.weights).value
        assert value is not None, "the weights of a site are constant"
        key = site.weights, layer.op
        if key not in rounded:
            rounded[key] = _round_weights(editor, layer, site.weights, value)
        inputs = list(layer.inputs)
        inputs[LAYERS[layer.op].weights] = rounded[key]
        editor.update(site.node, inputs=tuple(inputs))
        if LAYERS[layer.op].per_channel and site.bias is not None:
            _tell_apart(editor, *site.bias, channels=output_channels(layer, value))
    return len(sites)


def _tell_apart(editor: GraphEditor, node: str, ref: TensorRef, *, channels: int) -> None:
    """Let the values of a bias differ, by the smallest float there is.

    Of a bias that is one value repeated, the converter (2.21) writes the int32 value of the first channel into all,
    although each channel has a scale of its own.
    """
    value = source(editor, ref).value
    if value is None or channels == 1 or not value.any() or (value != value.reshape(-1)[0]).any():
        return
    reader = editor[node]
    apart = np.broadcast_to(value, (channels,) if value.size == 1 else value.shape).copy()
    apart[..., 0] = np.nextafter(apart[..., 0], np.float32(np.inf))
    made = editor.add_constant(f"{ref.node}/apart", apart, beside=node)
    editor.update(node, inputs=tuple(made if one == ref else one for one in reader.inputs))


def _round_weights(editor: GraphEditor, layer: Node, weights: TensorRef, value: Array) -> TensorRef:
    """The rounded weights; those of a depthwise layer are reshaped, so that their channels are the last axis."""
    place = layer.name
    if not LAYERS[layer.op].per_channel:
        return _symmetric(editor, FAKE_QUANT, weights, _limits(value.reshape(-1, 1)).reshape(()), place)
    if layer.op == "Conv2D":
        return _symmetric(editor, PER_CHANNEL, weights, _limits(value.reshape(-1, value.shape[-1])), place)
    flat = value.reshape(*value.shape[:2], -1)
    columns = editor.add_constant(f"{weights.node}/by_channel", flat, beside=place)
    rounded = _symmetric(editor, PER_CHANNEL, columns, _limits(flat.reshape(-1, flat.shape[-1])), place)
    shape = editor.add_constant(f"{weights.node}/shape", np.array(value.shape, np.int32), beside=place)
    attrs = {"T": DType("float32"), "Tshape": DType("int32")}
    name = editor.fresh(f"{weights.node}/rounded")
    return TensorRef(editor.add(Node(name, "Reshape", (rounded, shape), (), attrs), beside=place).name)


def _symmetric(editor: GraphEditor, op: str, weights: TensorRef, limits: Array, beside: str) -> TensorRef:
    """A FakeQuant of -127 to 127, with a whole 0."""
    name = editor.fresh(f"{weights.node}/fake_quant")
    ends = np.asarray(-limits), np.asarray(limits)
    return TensorRef(
        editor.add(_fake_quant(editor, op, name, weights, ends, beside=beside, narrow=True), beside=beside).name
    )


def _limits(columns: Array) -> Array:
    """The largest absolute weight of each column; for one of zeros the largest of all, since a range is not empty."""
    found = np.abs(columns.astype(np.float64)).max(axis=0)
    return np.where(found > 0, found, found.max() or 1.0).astype(np.float32)
