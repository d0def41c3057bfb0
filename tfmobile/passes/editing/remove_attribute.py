"""remove-attribute: delete an attribute by its name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph
from tfmobile.passes.editing.absent import absent_attribute

_DROPPED_ON_READING = frozenset({"_class", "_output_shapes"})


@dataclass(frozen=True)
class RemoveAttribute:
    """Delete the attribute ``attribute_name`` of all nodes, or of the nodes whose op is ``op_name``.

    An ``op_name`` of "*", or none, means every op. TensorFlow then takes the attribute's default; a graph from which an
    attribute without default was taken does not load any more, and the pass is refused for that.

    ``_class`` (colocation) and ``_output_shapes`` are not in any graph here: reading a model drops both, so there is no
    need to ask for it. Nodes inside the function library are left alone, as in the original.
    """

    name: ClassVar[str] = "remove-attribute"
    keeps_answer: ClassVar[bool] = False
    attribute_name: str
    op_name: str = "*"

    def __post_init__(self) -> None:
        if not self.attribute_name:
            raise ValueError("attribute_name is empty.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes; when no node has the attribute, ``skipped`` says so."""
        op = self.op_name or "*"
        key = self.attribute_name
        found = [node for node in graph if op in ("*", node.op) and key in node.attrs]
        if not found:
            dropped = key in _DROPPED_ON_READING
            reason = f"'{key}' was dropped already, when the model was read."
            return PassResult(graph, (), (reason if dropped else absent_attribute(graph, key, op),))
        nodes = dict(graph.nodes)
        for node in found:
            kept = {name: value for name, value in node.attrs.items() if name != key}
            nodes[node.name] = dataclasses.replace(node, attrs=kept)
        what = f"Removed '{key}' from {len(found)} {'node' if len(found) == 1 else 'nodes'}."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,))
