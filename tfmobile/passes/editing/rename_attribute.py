"""rename-attribute: give an attribute another name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph
from tfmobile.passes.editing.absent import absent_attribute


@dataclass(frozen=True)
class RenameAttribute:
    """Rename the attribute ``old_attribute_name`` to ``new_attribute_name``; its value stays.

    For all nodes, or for those whose op is ``op_name`` ("*", or none, means every op). This helps a graph whose op was
    defined anew with other names. A node that has an attribute of the new name already is left alone; the original
    dropped the old value there. Nodes inside the function library are left alone, as in the original.
    """

    name: ClassVar[str] = "rename-attribute"
    keeps_answer: ClassVar[bool] = False
    old_attribute_name: str
    new_attribute_name: str
    op_name: str = "*"

    def __post_init__(self) -> None:
        if not self.old_attribute_name or not self.new_attribute_name:
            raise ValueError("old_attribute_name and new_attribute_name must not be empty.")
        if self.old_attribute_name == self.new_attribute_name:
            raise ValueError("old_attribute_name and new_attribute_name are the same.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes; ``skipped`` names those where the new name is taken."""
        op = self.op_name or "*"
        old, new = self.old_attribute_name, self.new_attribute_name
        nodes = dict(graph.nodes)
        count = 0
        skipped: list[str] = []
        for node in graph:
            if op not in ("*", node.op) or old not in node.attrs:
                continue
            if new in node.attrs:
                skipped.append(f"Left '{node.name}' ({node.op}): it has an attribute '{new}' already.")
                continue
            attrs = {new if key == old else key: value for key, value in node.attrs.items()}
            nodes[node.name] = dataclasses.replace(node, attrs=attrs)
            count += 1
        if not count:
            return PassResult(graph, (), tuple(skipped) or (absent_attribute(graph, old, op),))
        what = f"Renamed '{old}' to '{new}' in {count} {'node' if count == 1 else 'nodes'}."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,), tuple(skipped))
