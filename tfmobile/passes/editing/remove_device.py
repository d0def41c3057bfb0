"""remove-device: forget on which device the nodes were meant to run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph


@dataclass(frozen=True)
class RemoveDevice:
    """Clear the device of every node, so that the graph loads on a machine that does not have it.

    Nodes inside the function library are left alone, as in the original.
    """

    name: ClassVar[str] = "remove-device"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes and names the devices."""
        found = [node for node in graph if node.device]
        if not found:
            return PassResult(graph)
        nodes = dict(graph.nodes)
        for node in found:
            nodes[node.name] = dataclasses.replace(node, device="")
        devices = ", ".join(f"'{device}'" for device in sorted({node.device for node in found}))
        what = f"Removed the device of {len(found)} {'node' if len(found) == 1 else 'nodes'}: {devices}."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,))
