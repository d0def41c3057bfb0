"""Channels between layers: which layers make them, which read them, and whether nothing else sees them.

A channel can be made larger by the layers that make it and smaller by those that read it, when all between them is
proportional: f(s·x) = s·f(x) for s > 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import PASS_THROUGH, attr_text, source
from tfmobile.graph.model import Graph, Node, Shape, TensorRef
from tfmobile.graph.shapes import infer_shapes
from tfmobile.quantization.improvements.weighted_layers import WeightedLayer
from tfmobile.scheme.int8 import SUMS

PROPORTIONAL = frozenset({*PASS_THROUGH, "Relu", "LeakyRelu"})
POOLS = frozenset({"MaxPool", "AvgPool"})
MOVES = frozenset({"Reshape", "Squeeze", "ExpandDims"})


@dataclass(frozen=True)
class ChannelGroup:
    """``producers`` make ``channels`` channels that only ``consumers`` read; ``between`` are the ops on the way.

    More than one producer: their outputs are added up, so their channels must stay alike.
    """

    producers: tuple[WeightedLayer, ...]
    consumers: tuple[WeightedLayer, ...]
    channels: int
    between: frozenset[str]

    @property
    def name(self) -> str:
        """For users: from where to where."""
        return f"{_names(self.producers)} → {_names(self.consumers)}"


def _names(layers: Sequence[WeightedLayer]) -> str:
    return layers[0].name if len(layers) == 1 else f"{layers[0].name} and {len(layers) - 1} more"


def channel_groups(graph: Graph, layers: Sequence[WeightedLayer]) -> tuple[tuple[ChannelGroup, ...], tuple[str, ...]]:
    """The groups of ``graph`` in execution order, and a sentence for each layer whose channels cannot be scaled."""
    walk = _Walk(GraphEditor(graph), infer_shapes(graph), layers)
    found: list[ChannelGroup] = []
    skipped: list[str] = []
    done: set[str] = set()
    for layer in layers:
        if layer.name in done:
            continue
        group = walk.group(layer)
        done.update(one.name for one in group.producers.values())
        if group.reason:
            skipped.extend(
                f"Left the channels of {one.name} as they are: {group.reason}." for one in group.producers.values()
            )
        else:
            found.append(
                ChannelGroup(
                    tuple(group.producers.values()),
                    tuple(group.consumers.values()),
                    layer.channels,
                    frozenset(group.between),
                )
            )
    return tuple(found), tuple(skipped)


@dataclass
class _Group:
    channels: int
    producers: dict[str, WeightedLayer] = field(default_factory=dict)
    consumers: dict[str, WeightedLayer] = field(default_factory=dict)
    between: set[str] = field(default_factory=set)
    reason: str = ""


class _Walk:
    def __init__(self, editor: GraphEditor, shapes: Mapping[TensorRef, Shape], layers: Sequence[WeightedLayer]) -> None:
        self._editor, self._shapes = editor, shapes
        self._heads = {layer.node.name: layer for layer in layers}
        self._tails = {layer.name: layer for layer in layers}

    def group(self, layer: WeightedLayer) -> _Group:
        """All that has to be scaled with the channels of ``layer``; ``reason`` when that is not possible."""
        group = _Group(layer.channels, {layer.name: layer})
        waiting, seen = [layer.output], {layer.output}
        while waiting:
            for ref in self._spread(group, waiting.pop()):
                if ref not in seen:
                    seen.add(ref)
                    waiting.append(ref)
        if not group.reason and not group.consumers:
            group.reason = "no layer reads them"
        return group

    def _spread(self, group: _Group, ref: TensorRef) -> list[TensorRef]:
        """Tensors of the same channels that are computed from ``ref``, or added to it."""
        if ref in self._editor.outputs:
            group.reason = group.reason or f"'{ref}' is an output of the model"
        found = self._backward(group, ref)
        for reader in self._editor.readers(ref):
            found.extend(self._forward(group, ref, reader))
        return found

    def _forward(self, group: _Group, ref: TensorRef, reader: Node) -> list[TensorRef]:
        layer = self._heads.get(reader.name)
        if layer is not None and reader.inputs[0] == ref and reader.inputs[1:2] != (ref,):
            self._consume(group, layer)
            return []
        if reader.op in SUMS and not self._constant(reader):
            group.between.add(reader.op)
            return [TensorRef(reader.name), *reader.inputs]
        if not self._carries(group, ref, reader):
            group.reason = group.reason or f"'{reader.name}' ({reader.op}) reads them, which does not keep proportions"
            return []
        group.between.add(reader.op)
        return [TensorRef(reader.name)]

    def _backward(self, group: _Group, ref: TensorRef) -> list[TensorRef]:
        """What makes ``ref``, when that is not known yet: it is one of the terms of a sum."""
        layer = self._tails.get(ref.node)
        if layer is not None:
            if layer.channels != group.channels:
                group.reason = group.reason or f"'{ref}' with other channels is added to them"
            group.producers.setdefault(layer.name, layer)
            return []
        node = self._editor[ref.node]
        if node.op in SUMS:
            return list(node.inputs)
        if node.inputs and self._carries(group, node.inputs[0], node):
            return [node.inputs[0]]
        group.reason = group.reason or f"'{node.name}' ({node.op}) is added to them, which has no weights to scale"
        return []

    def _consume(self, group: _Group, layer: WeightedLayer) -> None:
        value = source(self._editor, layer.weights).value
        if value is None or not layer.takes(value, group.channels):
            group.reason = group.reason or f"{layer.name} reads them in groups"
        group.consumers[layer.name] = layer

    def _constant(self, node: Node) -> bool:
        return any(source(self._editor, ref).value is not None for ref in node.inputs)

    def _carries(self, group: _Group, ref: TensorRef, node: Node) -> bool:
        """Whether ``node`` computes each channel (of the last axis) proportionally from that of ``ref``."""
        if node.op in PROPORTIONAL:
            return True
        if node.op in POOLS:
            return attr_text(node, "data_format", "NHWC") == "NHWC" and _last(node.attrs.get("ksize")) == 1
        if node.op == "Mean":
            return self._spatial(ref, node)
        if node.op == "Pad":
            pads = source(self._editor, node.inputs[1]).value
            return pads is not None and not np.any(pads[-1])
        return node.op in MOVES and self._keeps_last(group, node)

    def _spatial(self, ref: TensorRef, node: Node) -> bool:
        axes, shape = source(self._editor, node.inputs[1]).value, self._shapes.get(ref)
        if axes is None or shape is None:
            return False
        return len(shape) - 1 not in [int(axis) % len(shape) for axis in np.atleast_1d(axes)]

    def _keeps_last(self, group: _Group, node: Node) -> bool:
        """Whether the last axis is still the channels, or the channels again and again."""
        before, after = self._shapes.get(node.inputs[0]), self._shapes.get(TensorRef(node.name))
        sizes = (before[-1], after[-1]) if before and after else (None, None)
        return all(size is not None and size % group.channels == 0 for size in sizes) and (
            sizes[0] == sizes[1] or sizes[0] == group.channels
        )


def _last(value: object) -> int:
    return int(value[-1]) if isinstance(value, (tuple, list)) and value else 0
