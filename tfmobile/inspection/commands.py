"""The commands that go on from an inspection, as they can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence

from tfmobile.artifacts import SourceModel
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.inspection.facts import LayerFact

SIMPLIFYING = "strip_unused remove_training_nodes fold_constants fold_batch_norms"
_WITHOUT_SIGNATURE = ("frozen-graph", "checkpoint")
_MOST_ENDS = 4
_LITTLE = 0.1
"""The part of the MACs that may be cut away."""


class Ends:
    """Where to cut a graph: names of inputs and outputs; ``why`` is empty when it is not cut."""

    def __init__(self, inputs: Sequence[str] = (), outputs: Sequence[str] = (), why: str = "") -> None:
        self.inputs, self.outputs, self.why = tuple(inputs), tuple(outputs), why


def optimize_command(source: SourceModel, graph: Graph, cut: Ends) -> str:
    """The command that optimizes this model as it was opened here, with a place for the data."""
    return shlex.join([*_opening("optimize", source, graph, cut), "--recipe", "int8", "--data"]) + " DATA"


def transform_command(source: SourceModel, graph: Graph) -> str:
    """The command that simplifies the graph and keeps it a GraphDef."""
    words = _opening("transform", source, graph, Ends())
    return shlex.join([*words, "--passes", SIMPLIFYING, "--out", "simplified.pb"])


def _opening(command: str, source: SourceModel, graph: Graph, cut: Ends) -> list[str]:
    words = ["tfmobile", command, source.path]
    if len(source.signatures) > 1 and source.signature:
        words += ["--signature", source.signature]
    bare = source.format in _WITHOUT_SIGNATURE
    inputs = cut.inputs or [str(spec.ref) for spec in graph.inputs if bare]
    outputs = cut.outputs or [str(spec.ref) for spec in graph.outputs if bare]
    words += [word for name in inputs for word in ("--input", name)]
    return words + [word for name in outputs for word in ("--output", name)]


def where_to_cut(
    graph: Graph, nodes: Sequence[Node], constant: Collection[str], layers: Iterable[LayerFact], blocking: Iterable[str]
) -> Ends:
    """Ends that leave the ``blocking`` nodes out and nearly all MACs in; no cut where there are no such ends.

    Behind all that the blocking nodes need, or before all that needs them; ``nodes`` come in order.
    """
    blocked = set(blocking)
    if not blocked:
        return Ends()
    macs = {layer.name: layer.macs or 0 for layer in layers}
    little = sum(macs.values()) * _LITTLE
    before, behind = _before(graph, blocked), _behind(nodes, blocked)
    if sum(macs.get(name, 0) for name in before) <= little:
        inputs = _crossing(nodes, before, constant)
        if 0 < len(inputs) <= _MOST_ENDS and not any(spec.ref.node in before for spec in graph.outputs):
            return Ends(inputs, (), "cut behind what does not convert")
    if sum(macs.get(name, 0) for name in behind) <= little:
        outputs = _crossing([node for node in nodes if node.name in behind], set(graph.nodes) - behind, constant)
        if 0 < len(outputs) <= _MOST_ENDS and not any(spec.ref.node in behind for spec in graph.inputs):
            return Ends((), outputs, "cut before what does not convert")
    return Ends()


def _before(graph: Graph, start: set[str]) -> set[str]:
    found, waiting = set(start), list(start)
    while waiting:
        for ref in graph.nodes[waiting.pop()].inputs:
            if ref.node not in found:
                found.add(ref.node)
                waiting.append(ref.node)
    return found


def _behind(nodes: Iterable[Node], start: set[str]) -> set[str]:
    found = set(start)
    for node in nodes:
        if any(ref.node in found for ref in node.inputs):
            found.add(node.name)
    return found


def _crossing(readers: Iterable[Node], region: Collection[str], constant: Collection[str]) -> list[str]:
    """The tensors of ``region`` that ``readers`` outside of it read, constants aside."""
    found: dict[TensorRef, None] = {}
    for node in readers:
        if node.name not in region and node.name not in constant:
            found.update((ref, None) for ref in node.inputs if ref.node in region and ref.node not in constant)
    return [str(ref) for ref in found]


def tflite_command(name: str, scheme: str, edge_tpu: bool) -> str:
    """The command for a float .tflite; empty for one that is quantized already."""
    if edge_tpu or not scheme.startswith("float"):
        return ""
    return shlex.join(["tfmobile", "optimize", name, "--recipe", "int8", "--data"]) + " DATA"
