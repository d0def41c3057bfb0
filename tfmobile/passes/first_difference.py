"""Where two graphs part: the first node, in order, that both have and that gives another value."""

from __future__ import annotations

from collections.abc import Mapping

from tfmobile.errors import TfmobileError
from tfmobile.graph.distance import distance
from tfmobile.graph.edit import in_order
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner
from tfmobile.graph.shapes import infer_types

_COMPARED = frozenset({"float16", "bfloat16", "float32", "float64"})


def first_difference(before: Graph, after: Graph, sample: Mapping[str, Array], tolerance: float) -> str | None:
    """A sentence naming the node and the difference; None when it cannot be told. Names keep their values."""
    if any(node.op in CONTROL_FLOW for graph in (before, after) for node in graph):
        return None
    try:
        refs = _common(before, after)
        ours, theirs = _values(before, refs, sample), _values(after, refs, sample)
    except TfmobileError:
        return None
    for ref in refs:
        one, other = ours[str(ref)], theirs[str(ref)]
        gap = distance(one, other)
        scale = float(abs(one.astype("float64")).max(initial=0.0))
        if not gap <= tolerance * scale:
            node = after.nodes[ref.node]
            return f"'{node.name}' ({node.op}) differs by {gap:.3g}; its largest value is {scale:.3g}."
    return None


def _common(before: Graph, after: Graph) -> list[TensorRef]:
    kinds, others = infer_types(before), infer_types(after)
    refs = [TensorRef(node.name) for node in in_order(after) if node.name in before.nodes]
    return [
        ref
        for ref in refs
        if ref in kinds and ref in others and kinds[ref][1] == others[ref][1] and kinds[ref][1] in _COMPARED
    ]


def _values(graph: Graph, refs: list[TensorRef], sample: Mapping[str, Array]) -> dict[str, Array]:
    with Runner(graph, refs) as runner:
        return runner.run(sample)
