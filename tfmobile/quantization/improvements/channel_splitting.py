"""Outlier channel splitting: a channel too large for the others becomes several smaller ones, exactly.

Zhao et al. 2019, Improving Neural Network Quantization without Retraining using Outlier Channel Splitting
(https://arxiv.org/abs/1901.09504). A layer computes n copies of the channel, each 1/n as large, and what reads it
repeats its weights n times: the parts add up to the same. Weights and activations of the channel are then 1/n of what
they were.

It costs: more channels, so more bytes and time. It pays when a few channels of a convolution or dense layer, before
Relu or no activation, are several times as large as all others, on one side only, so that equalization cannot help.
That is rare after equalization: no recipe that comes with tfmobile uses it.
"""

from __future__ import annotations

import numpy as np

from tfmobile.graph.attributes import aligned
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.channel_pairs import ChannelGroup, channel_groups
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.float_runs import Extremes, Used, channel_extremes
from tfmobile.quantization.improvements.weighted_layers import WeightedLayer, weighted_layers

OUTLIER = 2.0
"""A channel is split when it is this many times as large as most."""
MOST_COPIES = 4
GROWTH = 0.05
"""A layer gets at most this many more channels, relatively, and at least one."""


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Split the outlier channels of layers that convolutions and dense layers read.

    With one scale a tensor, those with the largest weights; with a scale for each channel, those with the largest
    activations. A channel that reaches the 6 of a Relu6 is never split: its parts would be clipped at other places.
    """
    layers, left = weighted_layers(draft.graph)
    groups, skipped = channel_groups(draft.graph, layers)
    usable = [group for group in groups if not _unfit(draft.graph, group)]
    refused = [f"Left {one.name} alone: {_unfit(draft.graph, one)}." for one in groups if _unfit(draft.graph, one)]
    seen = channel_extremes(draft.graph, [group.producers[0].sums for group in usable], Used(draft, samples), progress)
    editor = GraphEditor(draft.graph)
    changed = []
    for group in usable:
        layer = group.producers[0]
        sizes = _sizes(editor, layer, seen[layer.sums], weights=draft.recipe.granularity == "tensor")
        copies = split_plan(np.where(_whole(layer, seen[layer.sums]), sizes, 0.0), float(np.median(sizes)))
        if copies.max() > 1:
            _split(editor, group, copies)
            changed.append(f"Split {int(np.sum(copies > 1))} of {group.channels} channels of {layer.name}.")
    everything = (*left, *skipped, *refused)
    if not changed:
        return Improved(skipped=everything)
    return Improved(editor.finish(), moves_activations=True, changed=tuple(changed), skipped=everything)


def split_plan(sizes: Array, usual: float) -> Array:
    """How many copies to make of each channel [channels], given sizes and the ``usual`` one.

    The largest is split again and again until none is an OUTLIER or the layer has grown by GROWTH.
    """
    copies = np.ones(sizes.size, int)
    for _ in range(max(1, int(GROWTH * sizes.size))):
        largest = int(np.argmax(sizes / copies))
        if sizes[largest] / copies[largest] <= OUTLIER * usual or copies[largest] == MOST_COPIES:
            break
        copies[largest] += 1
    return copies


def _unfit(graph: Graph, group: ChannelGroup) -> str:
    if len(group.producers) > 1:
        return "its channels are sums of several layers"
    if group.producers[0].depthwise or any(one.depthwise for one in group.consumers):
        return "a depthwise layer needs one input channel for each output channel"
    if any(source(graph.nodes, one.weights).value is None for one in (*group.producers, *group.consumers)):
        return "its weights are not constants"
    return "its channels are flattened or moved on the way" if group.between - PLAIN else _shared(graph, group)


PLAIN = frozenset({"MaxPool", "AvgPool", "Mean", "Relu", "LeakyRelu", "Identity"})
"""Between the layers: ops that take any number of channels."""


def _shared(graph: Graph, group: ChannelGroup) -> str:
    """Constants get another shape, so nothing else may read them."""
    readers = graph.consumers()
    for layer in (*group.producers, *group.consumers):
        for ref in (layer.weights, layer.bias):
            if ref is not None and (graph.nodes[ref.node].op != "Const" or len(readers[ref.node]) > 1):
                return f"others read the weights of {layer.name}, too"
    return ""


def _sizes(editor: GraphEditor, layer: WeightedLayer, seen: Extremes, *, weights: bool) -> Array:
    value = source(editor, layer.weights).value
    assert value is not None
    return np.abs(layer.by_output(value)).max(axis=1) if weights else np.maximum(np.abs(seen.highs), np.abs(seen.lows))


def _whole(layer: WeightedLayer, seen: Extremes) -> Array:
    """Which channels can be split exactly."""
    return np.asarray((seen.highs < 6) | (layer.activation != "Relu6"))


def _split(editor: GraphEditor, group: ChannelGroup, copies: Array) -> None:
    places = np.repeat(np.arange(copies.size), copies)
    parts = 1.0 / copies[places]
    layer = group.producers[0]
    turned = bool(layer.node.attrs.get("transpose_b", False)) and layer.node.op == "MatMul"
    _repeat(editor, layer.weights, places, 0 if turned else -1, parts.reshape((-1, 1) if turned else (-1,)))
    if layer.bias is not None:
        _repeat(editor, layer.bias, places, -1, parts)
    for reader in group.consumers:
        _repeat(editor, reader.weights, places, _input_axis(reader), np.ones(1))


def _input_axis(layer: WeightedLayer) -> int:
    if layer.node.op == "Conv2D":
        return 2
    return 1 if layer.node.attrs.get("transpose_b", False) else 0


def _repeat(editor: GraphEditor, ref: TensorRef, places: Array, axis: int, parts: Array) -> None:
    """Give a constant, along ``axis``, the channels at ``places``, times ``parts``."""
    node = editor[ref.node]
    assert node.value is not None
    value = np.take(node.value, places, axis) * parts
    editor.update(node.name, attrs={**node.attrs, "value": aligned(value.astype(np.float32))})
