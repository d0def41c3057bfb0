"""sort-by-execution-order: store each node after all it reads."""

from __future__ import annotations

import dataclasses
import heapq
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph, Node

_LOOPS_BACK = frozenset({"NextIteration", "RefNextIteration"})


@dataclass(frozen=True)
class SortByExecutionOrder:
    """Store the nodes so that each comes after all it reads, by data or control edge.

    Of the nodes that may come next, the one that stood first comes first; so a sorted graph stays as it is. In a TF1
    loop, the edge from NextIteration back to Merge does not count. Should nodes read each other in a circle without a
    NextIteration, they and what waits for them come last, as they stood, and it is told; the original stopped there.
    """

    name: ClassVar[str] = "sort-by-execution-order"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes that stand in another place."""
        done = dict.fromkeys(_sorted(graph))
        rest = [name for name in graph.nodes if name not in done]
        more = f" and {len(rest) - 1} more" if len(rest) > 1 else ""
        skipped = (f"Left '{rest[0]}'{more}: they wait for nodes that read each other in a circle.",) if rest else ()
        order = [*done, *rest]
        moved = sum(1 for old, new in zip(graph.nodes, order, strict=True) if old != new)
        if not moved:
            return PassResult(graph, (), skipped)
        nodes = {name: graph.nodes[name] for name in order}
        what = f"Moved {moved} nodes to another place."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,), skipped)


def _sorted(graph: Graph) -> list[str]:
    """The names in order, without those in a circle."""
    names = list(graph.nodes)
    place = {name: index for index, name in enumerate(names)}
    missing: list[int] = []
    readers: list[list[int]] = [[] for _ in names]
    for index, node in enumerate(graph):
        sources = _sources(graph, node)
        missing.append(len(sources))
        for name in sources:
            readers[place[name]].append(index)
    ready = [index for index, count in enumerate(missing) if count == 0]
    done: list[str] = []
    while ready:
        index = heapq.heappop(ready)
        done.append(names[index])
        for reader in readers[index]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    return done


def _sources(graph: Graph, node: Node) -> set[str]:
    found = {ref.node for ref in node.inputs if graph.nodes[ref.node].op not in _LOOPS_BACK}
    return found.union(node.controls)
