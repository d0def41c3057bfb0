"""cancel-transposes: Transposes that undo each other, also across what stands between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.graph.shapes import infer_types
from tfmobile.passes.layout.choosing import Choice, Sides, Solver
from tfmobile.passes.layout.flooding import Flood
from tfmobile.passes.layout.moving import Move
from tfmobile.passes.layout.permutations import Perm, identity, inverse
from tfmobile.passes.layout.tensors import Tensors
from tfmobile.passes.layout.turns import Facts

_ROUNDS = 8
"""Each has fewer Transposes than the one before; two are the rule."""


@dataclass(frozen=True)
class CancelTransposes:
    """Remove Transposes that undo each other, merge those that follow each other, and drop those that change nothing.

    To let them meet, the nodes between them work in the other order of axes: element-wise ops, with their constants
    (also sums of several branches), Concat, Split, Pad, MirrorPad, Tile, Slice, StridedSlice, GatherV2, Cumsum,
    reductions, ArgMax, Squeeze, ExpandDims, Softmax while its axis stays the last, SpaceToBatchND and its inverse, a
    Reshape that keeps the axes that it joins or splits together; a BiasAdd of constants, which becomes a sum; and
    layers that are channels first (NCHW), which become channels last, never the other way. A Transpose of a constant is
    computed. One that only moves axes of size 1 becomes a Reshape, and a Reshape that does no more than that counts as
    a Transpose. A Reshape reads what is before such a Transpose.

    Which nodes change is chosen so that there are as few Transposes as can be (a minimum cut), and nothing is done
    unless there are fewer than before. Several orders are tried one after the other, the most frequent first.

    Names keep their values: a node in another order is called ``name/turned``, and a model output stays what it is.
    Left alone: Transposes by orders that are computed, that wait for other nodes, and all behind TF1 control flow.
    """

    name: ClassVar[str] = "cancel-transposes"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts; ``skipped`` has a sentence for each Transpose that is left."""
        if not any(node.op == "Transpose" for node in graph):
            return PassResult(graph)
        try:
            types = infer_types(graph)
        except TfmobileError as cause:
            return PassResult(graph, (), (f"Left all Transposes: the shapes are not known. {cause.why or cause.what}",))
        changed: list[str] = []
        for _ in range(_ROUNDS):
            tensors = Tensors(graph, Facts(graph.nodes, types))
            found = _round(graph, tensors)
            if found is None:
                break
            changed.append(_sentence(graph, *found))
            graph = found[0]
            if not _count(graph):
                break
        else:
            tensors = Tensors(graph, Facts(graph.nodes, types))
        return PassResult(graph, tuple(changed), tuple(_left(graph, tensors)))


def _round(graph: Graph, tensors: Tensors) -> tuple[Graph, int] | None:
    """The graph with fewer Transposes, and how many nodes moved; None where there cannot be fewer."""
    flood = Flood(tensors)
    for root, perm in _starts(tensors):
        if root not in flood.pairs:
            flood.start(root, (identity(len(perm)), perm))
    choice = Choice(tensors, flood.movable)
    before = sum(tensors.by_name[ref.node].op == "Transpose" for ref in tensors.aliases)
    stay: Sides = {name: found.natural for name, found in flood.movable.items()}
    sides = Solver(choice, moving_costs=1).best() if flood.movable else stay
    if sides == stay or choice.count(sides)[0] >= before:
        sides = stay
        if choice.count(stay)[0] >= before:
            return None
    move = Move(graph, choice, sides, "turned")
    return move.run(), len(move.moved)


def _starts(tensors: Tensors) -> list[tuple[TensorRef, Perm]]:
    """The roots with an order that a Transpose gives them, the most frequent order first."""
    found = [(root, perm) for root, perm in tensors.aliases.values() if perm != identity(len(perm))]
    counts = Counter(min(perm, inverse(perm)) for _, perm in found)
    return sorted(found, key=lambda item: -counts[min(item[1], inverse(item[1]))])


def _sentence(before: Graph, after: Graph, moved: int) -> str:
    gone = _count(before) - _count(after)
    nodes = f"; {moved} {'node' if moved == 1 else 'nodes'} between them changed their order of axes" if moved else ""
    what = "Transpose" if gone == 1 else "Transposes"
    return f"Removed {gone} of {_count(before)} {what}{nodes}."


def _count(graph: Graph) -> int:
    return sum(node.op == "Transpose" for node in graph)


def _left(graph: Graph, tensors: Tensors) -> Iterator[str]:
    """One sentence for each Transpose."""
    consumers = graph.consumers()
    for node in graph:
        if node.op == "Transpose":
            yield f"Left '{node.name}' (Transpose): {_reason(node, consumers[node.name], graph, tensors)}."


def _reason(node: Node, readers: list[Node], graph: Graph, tensors: Tensors) -> str:
    if node.name in tensors.shadowed:
        return "it lies behind TF1 control flow"
    if node.name in tensors.inputs:
        return "it is a model input"
    if node.controls:
        return "it waits for other nodes"
    if not tensors.is_alias(node.name):
        return "its order of axes is computed, or the rank is not known"
    source = graph.nodes[node.inputs[0].node]
    ends = [f"'{reader.name}' ({reader.op})" for reader in readers[:3]]
    if any(ref.node == node.name for ref in tensors.outputs):
        ends.insert(0, "a model output")
    return f"no other undoes it between '{source.name}' ({source.op}) and {' and '.join(ends) or 'nothing'}"
