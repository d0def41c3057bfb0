"""The tensors of a graph, with those that only differ in the order of their axes counted as one."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from tfmobile.graph.edit import in_order, needed
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.passes.layout.permutations import Perm, compose, identity, movement, settled
from tfmobile.passes.layout.turns import Facts


@dataclass(frozen=True)
class Use:
    """``node`` reads the tensor as its input ``position``, in the order ``perm``; a model output has no node."""

    node: Node | None
    position: int
    perm: Perm


class Tensors:
    """Every tensor is a root in some order: roots come from what is not a Transpose.

    A Reshape that only moves axes of size 1 counts as a Transpose. Transposes by orders that are computed, that wait
    for other nodes, or that lie behind TF1 control flow are ordinary nodes here.
    """

    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.facts = facts
        self.inputs = {spec.ref.node for spec in graph.inputs}
        self.outputs = {spec.ref for spec in graph.outputs}
        live = needed(graph.nodes, {ref.node for ref in self.outputs}, self.inputs)
        self.nodes = [node for node in in_order(graph) if node.name in live]
        self.by_name = {node.name: node for node in self.nodes}
        self.shadowed = behind_control_flow(self.nodes)
        self.aliases: dict[TensorRef, tuple[TensorRef, Perm]] = {}
        self.uses: dict[TensorRef, list[Use]] = {}
        for node in self.nodes:
            self._read(node)
        for ref in self.outputs:
            self._use(ref, None, 0)

    def is_alias(self, name: str) -> bool:
        """Whether the node is a Transpose that is seen through."""
        return TensorRef(name) in self.aliases

    def resolve(self, ref: TensorRef) -> tuple[TensorRef, Perm] | None:
        """The root of ``ref``, and its order; None for a tensor of unknown rank."""
        found = self.aliases.get(ref)
        if found is not None:
            return found
        rank = self.facts.rank(ref)
        return None if rank is None else (ref, identity(rank))

    def settled(self, root: TensorRef, perm: Perm) -> Perm:
        """``perm`` as it can be compared with other orders of the root."""
        return settled(perm, self.facts.shape(root) or perm)

    def is_free(self, root: TensorRef) -> bool:
        """Whether any order of it costs nothing: a constant that is alive everywhere."""
        node = self.by_name[root.node]
        return node.value is not None and not node.controls and node.name not in self.inputs | self.shadowed

    def fixed(self, node: Node) -> bool:
        """Whether the node must stay what it is: an input, behind control flow, or of several model outputs."""
        if node.name in self.inputs or node.name in self.shadowed or self.is_alias(node.name):
            return True
        return any(TensorRef(node.name, index) in self.outputs for index in range(1, _outputs(node)))

    def _read(self, node: Node) -> None:
        perm = self._moves(node)
        if perm is not None:
            found = self.resolve(node.inputs[0])
            if found is not None:
                root, before = found
                self.aliases[TensorRef(node.name)] = (root, compose(before, perm))
                return
        for position, ref in enumerate(node.inputs):
            self._use(ref, node, position)

    def _use(self, ref: TensorRef, node: Node | None, position: int) -> None:
        found = self.resolve(ref)
        if found is not None:
            self.uses.setdefault(found[0], []).append(Use(node, position, found[1]))

    def _moves(self, node: Node) -> Perm | None:
        """The order that a Transpose gives its input, or a Reshape that is like one."""
        if node.op not in ("Transpose", "Reshape") or not hidden(node, self.inputs, self.shadowed):
            return None
        if node.op == "Transpose":
            value = self.facts.whole(node, 1)
            rank = self.facts.rank(node.inputs[0])
            return None if value is None or rank != value.size else tuple(int(axis) % rank for axis in value)
        perm = movement(self.facts.shape(node.inputs[0]), self.facts.shape(TensorRef(node.name)))
        return perm if perm is not None and perm != identity(len(perm)) else None


def hidden(node: Node, inputs: Set[str], shadowed: Set[str]) -> bool:
    """Whether a Transpose can be seen through: it is not an input, waits for nothing, and is alive everywhere."""
    return node.name not in inputs and node.name not in shadowed and not node.controls


def behind_control_flow(nodes: list[Node]) -> frozenset[str]:
    """The nodes of TF1 control flow and all that follow them: they may be dead, or run in a loop's frame."""
    waiting = [node.name for node in nodes if node.op in CONTROL_FLOW]
    if not waiting:
        return frozenset()
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for name in {ref.node for ref in node.inputs}.union(node.controls):
            readers.setdefault(name, []).append(node.name)
    found = set(waiting)
    while waiting:
        new = [name for name in readers.get(waiting.pop(), ()) if name not in found]
        found.update(new)
        waiting.extend(new)
    return frozenset(found)


def _outputs(node: Node) -> int:
    """At least as many as the outputs of an op that can turn."""
    count = node.attrs.get("num_split")
    return count if isinstance(count, int) else 6 if node.op.startswith("FusedBatchNorm") else 1
