"""Which batch normalizations of a graph can be folded into the layer before (arXiv:1712.05877, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from tfmobile.graph.match import Constants, origin
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.inspection.facts import BatchNorms

FUSED = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
LINEAR = frozenset({"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3D", "MatMul"})
_ADD = frozenset({"Add", "AddV2", "BiasAdd"})


def batch_norms(graph: Graph, nodes: Iterable[Node]) -> BatchNorms:
    """Count fused ones, and decomposed ones (x · scale + shift, one value a channel) that follow a linear layer."""
    finder = _Finder(graph)
    total, reasons = 0, []
    for node in nodes:
        if node.op in FUSED:
            total += 1
            reason = finder.fused(node)
            if reason:
                reasons.append(f"{node.name}: {reason}")
        elif finder.decomposed(node):
            total += 1
    return BatchNorms(total, total - len(reasons), tuple(reasons))


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.constant = Constants(graph.nodes)
        self.readers = graph.consumers()
        self.outputs = {spec.ref.node for spec in graph.outputs}

    def fused(self, node: Node) -> str:
        """Why a fused batch normalization cannot be folded; empty when it can."""
        if node.attrs.get("is_training", True):
            return "it normalizes with the batch's own statistics (is_training)"
        if any(self.constant(ref) is None for ref in node.inputs[1:5]):
            return "its scale, offset, mean or variance is not constant"
        return self.linear_before(node.inputs[0])

    def decomposed(self, node: Node) -> bool:
        """Whether ``node`` is the last of: linear layer → · scale → + shift (or − shift)."""
        if node.op not in ("Add", "AddV2", "Sub") or len(node.inputs) != 2:
            return False
        moving = self._moving(node)
        if moving is None:
            return False
        before = self.graph.nodes[origin(self.graph.nodes, moving).node]
        if before.op != "Mul":
            return False
        moving = self._moving(before)
        return moving is not None and not self.linear_before(moving)

    def _moving(self, node: Node) -> TensorRef | None:
        """The input that is not constant, when the other is and holds one value a channel."""
        values = [self.constant(ref) for ref in node.inputs]
        if len(values) != 2 or (values[0] is None) == (values[1] is None):
            return None
        moving = 0 if values[0] is None else 1
        if node.op == "Sub" and moving == 1:
            return None
        value = values[1 - moving]
        assert value is not None
        return node.inputs[moving] if 1 < value.size == max(value.shape, default=1) else None

    def linear_before(self, ref: TensorRef) -> str:
        """Why the tensor ``ref`` does not come straight from a linear layer with constant weights; empty if it does."""
        for _ in range(2):
            node = self.graph.nodes[origin(self.graph.nodes, ref).node]
            if len(self.readers[node.name]) > 1 or node.name in self.outputs:
                return f"{node.name} is read elsewhere too"
            if node.op in LINEAR:
                fixed = self.graph.nodes[origin(self.graph.nodes, node.inputs[1]).node].op == "Const"
                known = fixed or self.constant(node.inputs[1]) is not None
                return "" if known else f"the weights of {node.name} are not constant"
            if node.op not in _ADD or self.constant(node.inputs[1]) is None:
                break
            ref = node.inputs[0]
        return f"it follows {node.op}, not a layer with weights"
