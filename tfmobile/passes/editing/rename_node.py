"""rename-node: give one node another name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.errors import UsageError
from tfmobile.graph.model import Graph
from tfmobile.passes.editing.absent import near
from tfmobile.passes.editing.new_names import with_names

_NODE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


@dataclass(frozen=True)
class RenameNode:
    """Rename the node ``old_node_name`` to ``new_node_name``, in all edges that come from it too.

    An input or output of the model may be renamed: its key, under which samples are fed and answers are given in this
    run, stays, and only the node behind it is called anew. In a frozen graph that is read again, it is the new name.
    When the old name is not there but the new one is, the work was done before and nothing happens.

    Raises a usage error when no node has the old name, or when another has the new one. The original also found a taken
    name, but a name that is not there changed nothing, silently.
    """

    name: ClassVar[str] = "rename-node"
    keeps_answer: ClassVar[bool] = True
    old_node_name: str
    new_node_name: str

    def __post_init__(self) -> None:
        if not _NODE.fullmatch(self.new_node_name):
            raise ValueError(
                f"'{self.new_node_name}' cannot be the name of a node: letters, digits and ._/>- may stand in one."
            )
        if self.old_node_name == self.new_node_name:
            raise ValueError("old_node_name and new_node_name are the same.")

    def apply(self, graph: Graph) -> PassResult:
        """The graph with the new name; the node keeps its place."""
        old, new = self.old_node_name, self.new_node_name
        if old not in graph.nodes and new in graph.nodes:
            return PassResult(graph, (), (f"There is no node '{old}', but one is called '{new}' already.",))
        if old not in graph.nodes:
            raise UsageError(
                f"rename-node: the graph has no node '{old}'{near(old, graph.nodes)}",
                fixes=["Run `tfmobile inspect MODEL` for the names of the nodes."],
            )
        if new in graph.nodes:
            raise UsageError(
                f"rename-node: a node is called '{new}' already.",
                why=f"It is a {graph.nodes[new].op} node; every name stands for one node.",
                fixes=["Choose a new_node_name that is free.", f"Rename the other '{new}' first."],
            )
        return PassResult(with_names(graph, {old: new}), (f"Renamed '{old}' to '{new}'.",))
