"""remove-control-dependencies: drop the edges that only say what runs first."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Graph

_NAMED = 3


@dataclass(frozen=True)
class RemoveControlDependencies:
    """Drop all control edges. The nodes that were waited for stay; strip-unused removes those that nothing reads.

    Where a control edge orders a write and a read, the answer changes and the pass is refused.

    In a graph with TF1 control flow, the control edge of a node without data inputs (a Const, a NoOp) says in which
    branch or loop the node lives. Such edges stay, and are told. The original dropped them too, and so broke the graph.
    """

    name: ClassVar[str] = "remove-control-dependencies"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the edges; ``skipped`` counts the nodes that keep theirs."""
        placed = any(node.op in CONTROL_FLOW for node in graph)
        waiting = [node for node in graph if node.controls]
        kept = [node for node in waiting if placed and not node.inputs]
        found = [node for node in waiting if node.inputs or not placed]
        skipped = _left([node.name for node in kept])
        if not found:
            return PassResult(graph, (), skipped)
        nodes = dict(graph.nodes)
        for node in found:
            nodes[node.name] = dataclasses.replace(node, controls=())
        count = sum(len(node.controls) for node in found)
        what = f"Removed {count} control {'edge' if count == 1 else 'edges'} of {len(found)} "
        what += f"{'node' if len(found) == 1 else 'nodes'}."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,), skipped)


def _left(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    shown = ", ".join(f"'{name}'" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (f"Left the control edges of {shown}{more}, which say in which branch or loop they live.",)
