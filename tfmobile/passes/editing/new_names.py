"""The graph with other names for its nodes, and all that refers to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tfmobile.graph.model import Graph, TensorRef, TensorSpec


def with_names(graph: Graph, names: Mapping[str, str]) -> Graph:
    """``graph`` with each node that ``names`` has under its new name; edges and the ends of the model follow.

    Order, keys of inputs and outputs, and the function library stay. The new names must be free.
    """

    def moved(ref: TensorRef) -> TensorRef:
        return TensorRef(names[ref.node], ref.index) if ref.node in names else ref

    def moved_ends(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(dataclasses.replace(spec, ref=moved(spec.ref)) for spec in specs)

    nodes = {
        names.get(node.name, node.name): dataclasses.replace(
            node,
            name=names.get(node.name, node.name),
            inputs=tuple(moved(ref) for ref in node.inputs),
            controls=tuple(names.get(item, item) for item in node.controls),
        )
        for node in graph
    }
    return dataclasses.replace(graph, nodes=nodes, inputs=moved_ends(graph.inputs), outputs=moved_ends(graph.outputs))
