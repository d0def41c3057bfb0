"""set-device: say on which device the nodes run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph


@dataclass(frozen=True)
class SetDevice:
    """Set the device of every node to ``device``, such as ``/cpu:0`` or ``/device:GPU:0``.

    With ``if_default``, only of the nodes that have none. Where the device is not there, the graph is verified on the
    CPU. A ``.tflite`` has no devices: converting drops them.

    The original took an empty device when none was given; here ``device`` must be written (``device=""`` is allowed,
    and is what remove-device does).
    """

    name: ClassVar[str] = "set-device"
    keeps_answer: ClassVar[bool] = True
    device: str
    if_default: bool = False

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes."""
        found = [node for node in graph if node.device != self.device and not (self.if_default and node.device)]
        if not found:
            return PassResult(graph)
        nodes = dict(graph.nodes)
        for node in found:
            nodes[node.name] = dataclasses.replace(node, device=self.device)
        what = f"Set the device of {len(found)} {'node' if len(found) == 1 else 'nodes'} to '{self.device}'."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,))
