"""The batch normalizations of a graph, and which of them folding leaves (arXiv:1712.05877, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfmobile.artifacts import PassResult
from tfmobile.graph.match import Constants, origin
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.inspection.facts import BatchNorms

FUSED = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "BatchNormWithGlobalNormalization"})
LINEAR = frozenset({"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3D", "MatMul", "BatchMatMulV2"})
_SUMS = frozenset({"Add", "AddV2", "Sub"})
_BIASES = _SUMS | {"BiasAdd"}


def batch_norms(graph: Graph, nodes: Sequence[Node], folded: PassResult | None) -> BatchNorms:
    """Count those among ``nodes``; ``folded`` is what fold-batch-norms makes of ``graph``, None when not tried.

    A product with one number a channel, and a sum, count as a batch normalization where they follow a layer directly,
    or were folded.
    """
    kept = [node for node in nodes if node.op in FUSED]
    scales = _scales(graph, nodes)
    if folded is None:
        return BatchNorms(len(kept) + sum(after_layer for after_layer in scales.values()), None)
    left = folded.graph.nodes
    unfolded = [node.name for node in kept if node.name in left and left[node.name].op == node.op]
    products = [name for name in scales if name in left and left[name].op == "Mul"]
    unfolded += [name for name in products if scales[name]]
    total = len(kept) + len(scales) - sum(not scales[name] for name in products)
    return BatchNorms(total, total - len(unfolded), tuple(_reason(name, folded.skipped) for name in unfolded))


def _scales(graph: Graph, nodes: Sequence[Node]) -> dict[str, bool]:
    """The products that begin a decomposed batch normalization; whether each follows a layer directly."""
    constants = Constants(graph.nodes)
    moving = {node.name: data for node in nodes if node.op == "Mul" and (data := _scaled(node, constants)) is not None}
    summed = {
        origin(graph.nodes, ref).node
        for node in nodes
        if node.op in _SUMS and len(node.inputs) == 2
        for place, ref in enumerate(node.inputs)
        if constants(node.inputs[1 - place]) is not None
    }
    return {name: _follows_layer(graph, data, constants) for name, data in moving.items() if name in summed}


def _scaled(node: Node, constants: Constants) -> TensorRef | None:
    """What the product scales by a constant of one number a channel."""
    if len(node.inputs) != 2:
        return None
    values = [constants(ref) for ref in node.inputs]
    for place, value in enumerate(values):
        if value is not None and values[1 - place] is None and 1 < value.size == max(value.shape, default=1):
            return node.inputs[1 - place]
    return None


def _follows_layer(graph: Graph, data: TensorRef, constants: Constants) -> bool:
    before = graph.nodes[origin(graph.nodes, data).node]
    if before.op in _BIASES and len(before.inputs) == 2 and constants(before.inputs[1]) is not None:
        before = graph.nodes[origin(graph.nodes, before.inputs[0]).node]
    return before.op in LINEAR


def _reason(name: str, skipped: Iterable[str]) -> str:
    """The pass's own sentence about the node, as ``name: why``."""
    start = f"Left '{name}' ("
    for sentence in skipped:
        if sentence.startswith(start):
            return f"{name}: {sentence.partition('): ')[2].rstrip('.')}"
    return f"{name}: the pass gives no reason"
