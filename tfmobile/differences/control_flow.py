"""Which nodes of a TF1 graph lie inside a branch or a loop, where a value may be dead or there many times."""

from __future__ import annotations

from tfmobile.graph.edit import in_order
from tfmobile.graph.model import Graph, Node

_BACK = frozenset({"NextIteration", "RefNextIteration"})


def inside(graph: Graph) -> frozenset[str]:
    """The names of the nodes whose value cannot be fetched for certain.

    The depth of a node is that of what it reads; Switch and Enter go one deeper, the Merge of a branch comes one back,
    and an Exit two: out of the loop, and out of the Switch that ends it.
    """
    depth: dict[str, int] = {}
    for node in in_order(_without_loops(graph)):
        found = max((depth.get(name, 0) for name in _sources(node)), default=0)
        depth[node.name] = max(found + _step(graph, graph.nodes[node.name]), 0)
    return frozenset(name for name, value in depth.items() if value)


def _step(graph: Graph, node: Node) -> int:
    op = node.op.removeprefix("Ref").removeprefix("_")
    if op in ("Switch", "SwitchN", "Enter"):
        return 1
    if op == "Exit":
        return -2
    if op == "Merge":
        begins_loop = any(graph.nodes[ref.node].op in _BACK for ref in node.inputs)
        return 0 if begins_loop else -1
    return 0


def _without_loops(graph: Graph) -> Graph:
    """The same nodes without the edges that go back to the start of a loop."""
    nodes = {
        node.name: Node(
            node.name,
            node.op,
            tuple(ref for ref in node.inputs if graph.nodes[ref.node].op not in _BACK),
            tuple(name for name in node.controls if graph.nodes[name].op not in _BACK),
        )
        for node in graph
    }
    return Graph(nodes, graph.inputs, graph.outputs)


def _sources(node: Node) -> list[str]:
    return [*(ref.node for ref in node.inputs), *node.controls]
