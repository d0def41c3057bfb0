"""nchw-to-nhwc: a graph that works channels first (NCHW) becomes one that works channels last (NHWC)."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tfmobile.artifacts import FeedChange, PassResult
from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.graph.shapes import infer_types
from tfmobile.graph.text import shape_text
from tfmobile.passes.layout.choosing import Choice, Solver
from tfmobile.passes.layout.flooding import A, Flood
from tfmobile.passes.layout.layers import LAYERS, format_of, layer, why_not
from tfmobile.passes.layout.moving import Move
from tfmobile.passes.layout.permutations import Perm, channels_last, inverse, permuted
from tfmobile.passes.layout.tensors import Tensors
from tfmobile.passes.layout.turns import Facts


@dataclass(frozen=True)
class NchwToNhwc:
    """Turn every layer whose data_format is NCHW (or NCDHW) to NHWC, and the graph around the layers with them.

    Layers are Conv2D, DepthwiseConv2dNative, Conv2DBackpropInput, FusedBatchNorm (V1 to V3), BiasAdd, MaxPool (also V2)
    and AvgPool, Conv3D, Conv3DBackpropInputV2, MaxPool3D and AvgPool3D, DepthToSpace and SpaceToDepth. strides,
    dilations, ksize, explicit_paddings and sizes that are inputs are put in the other order; weights are the same in
    both formats.

    What lies between layers turns with them where it can: element-wise ops, with their constants; Concat, Split, Pad,
    MirrorPad, Tile, Slice, StridedSlice, GatherV2, Cumsum, reductions, ArgMax, Squeeze, ExpandDims, Softmax over the
    channels when a Transpose stands there, SpaceToBatchND and its inverse; a Reshape that keeps the axes that it joins
    or splits together, as in a channel shuffle. Transposes that were there cancel. Where the order of axes must change,
    a Transpose is put in, or a Reshape if all it does is to move axes of size 1; where this happens is chosen so that
    there are as few as can be (a minimum cut).

    So what stays is one Transpose at each input with channels, one in front of each model output with channels, which
    keeps its name, its layout and its value, and one before what needs channels first: a Reshape that flattens
    ``[N,C,H,W]``, whose values have the order of the channels (none for ``[N,C,1,1]``), and ops not listed here, which
    are named. Shape of a turned tensor is put back in order.

    ``io=nhwc`` also turns the model's inputs, where that saves the Transpose: they take ``[N,H,W,C]`` then. Outputs
    stay as they are.

    Left alone: layers of unknown rank, layers behind TF1 control flow and inside functions, and other formats, such as
    NCHW_VECT_C. A turned node is called ``name/nhwc``. TensorFlow Lite knows channels last only.
    """

    name: ClassVar[str] = "nchw-to-nhwc"
    keeps_answer: ClassVar[bool] = True
    io: Literal["keep", "nhwc"] = "keep"

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts what was turned; ``skipped`` names each layer left, and what needs channels first."""
        if not any(format_of(node) for node in graph):
            return PassResult(graph)
        try:
            facts = Facts(graph.nodes, infer_types(graph))
        except TfmobileError as cause:
            layers = ", ".join(f"'{node.name}' ({node.op})" for node in graph if format_of(node))
            return PassResult(graph, (), (f"Left {layers}: the shapes are not known. {cause.why or cause.what}",))
        tensors = Tensors(graph, facts)
        flood = Flood(tensors, self._placeholders(graph))
        skipped = list(_start(flood, tensors))
        anchors = list(flood.movable)
        if not anchors:
            return PassResult(graph, (), tuple(skipped))
        flood.spread()
        choice = Choice(tensors, flood.movable)
        move = Move(graph, choice, Solver(choice).best(anchors), "nhwc")
        result = move.run()
        turned = [found.node for found in move.moved if found.node.name not in tensors.inputs]
        changed = [_turned_sentence(graph, result, turned, anchors)]
        result, feeds = _turn_inputs(result, move)
        changed.extend(_input_sentences(graph, result))
        skipped.extend(_remaining(result, move.inserted, tensors))
        return PassResult(result, tuple(changed), tuple(skipped), feeds)

    def _placeholders(self, graph: Graph) -> frozenset[str]:
        """The inputs that may turn."""
        if self.io == "keep":
            return frozenset()
        fixed = {spec.ref.node for spec in graph.outputs}
        names = {spec.ref.node for spec in graph.inputs} - fixed
        return frozenset(name for name in names if graph.nodes[name].op == "Placeholder")


def _start(flood: Flood, tensors: Tensors) -> Iterator[str]:
    """Give the layers to ``flood``; one sentence for each that is left."""
    for node in tensors.nodes:
        if not format_of(node):
            continue
        reason = _why_not(node, tensors)
        if reason:
            yield f"Left '{node.name}' ({node.op}): {reason}."
            continue
        rank = tensors.facts.rank(node.inputs[LAYERS[node.op].data]) or 4
        turn = layer(tensors.facts, node, channels_last(rank))
        if turn is not None:
            flood.add(node, A, turn)


def _why_not(node: Node, tensors: Tensors) -> str:
    if node.name in tensors.shadowed:
        return "it lies behind TF1 control flow"
    if node.name in tensors.inputs:
        return "it is a model input"
    if tensors.fixed(node):
        return "an output of it that is not the first is a model output"
    return why_not(tensors.facts, node)


def _turned_sentence(before: Graph, after: Graph, turned: list[Node], anchors: list[str]) -> str:
    known = frozenset(anchors)
    kinds = Counter(node.op for node in turned if node.name in known)
    parts = [f"{count} {op}" for op, count in kinds.most_common()]
    others = len(turned) - kinds.total()
    if others:
        parts.append(f"{others} {'node' if others == 1 else 'nodes'} around them")
    what = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"Turned {what} to channels last; {_transposes(_count(after))} now, {_count(before) or 'none'} before."


def _transposes(count: int) -> str:
    return f"{count} Transpose" if count == 1 else f"{count or 'no'} Transposes"


def _count(graph: Graph) -> int:
    return sum(node.op == "Transpose" for node in graph)


def _turn_inputs(graph: Graph, move: Move) -> tuple[Graph, Mapping[str, FeedChange]]:
    """The graph with the specs of the inputs that were turned, and how their feeds change."""
    orders = {found.node.name: found.turn.outputs[0] for found in move.moved if not found.turn.inputs}
    feeds = {spec.key: _feed(orders[spec.ref.node]) for spec in graph.inputs if spec.ref.node in orders}
    specs = tuple(
        dataclasses.replace(spec, shape=permuted(spec.shape, orders[spec.ref.node])) if spec.key in feeds else spec
        for spec in graph.inputs
    )
    return dataclasses.replace(graph, inputs=specs), feeds


def _feed(perm: Perm) -> FeedChange:
    return FeedChange(functools.partial(np.transpose, axes=perm), functools.partial(np.transpose, axes=inverse(perm)))


def _input_sentences(before: Graph, after: Graph) -> Iterator[str]:
    for old, new in zip(before.inputs, after.inputs, strict=True):
        if old != new:
            yield f"The input '{new.key}' takes {shape_text(new.shape)}; it took {shape_text(old.shape)}."


def _remaining(graph: Graph, inserted: Mapping[str, str], tensors: Tensors) -> Iterator[str]:
    """One sentence for each Transpose put in that is not at an input or output of the model."""
    consumers = graph.consumers()
    outputs = {spec.ref for spec in graph.outputs}
    for name in inserted:
        node = graph.nodes[name]
        if node.op != "Transpose" or TensorRef(name) in outputs or node.inputs[0].node in tensors.inputs:
            continue
        source = graph.nodes[node.inputs[0].node]
        readers = " and ".join(f"'{reader.name}' ({reader.op})" for reader in consumers[name][:3])
        flat = all(reader.op == "Reshape" for reader in consumers[name])
        why = ", which takes the values channels first" if flat else ""
        yield f"Put the Transpose '{name}' between '{source.name}' ({source.op}) and {readers}{why}."
