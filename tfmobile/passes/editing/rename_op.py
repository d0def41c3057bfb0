"""rename-op: turn every node of one op into another op."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph
from tfmobile.passes.editing.absent import absent_op

_OP = re.compile(r"[A-Za-z_][A-Za-z0-9_>]*")


@dataclass(frozen=True)
class RenameOp:
    """Make every node of op ``old_op_name`` a node of op ``new_op_name``. Inputs and attributes stay as they are.

    What this does to the answer is measured and told; it is refused only when the graph does not run any more, or an
    output becomes NaN or gets another shape. A new op that TensorFlow does not have is let through without comparing:
    the graph may be meant for another runtime. Nodes inside the function library are left alone, as in the original.
    """

    name: ClassVar[str] = "rename-op"
    keeps_answer: ClassVar[bool] = False
    old_op_name: str
    new_op_name: str

    def __post_init__(self) -> None:
        if not _OP.fullmatch(self.new_op_name):
            raise ValueError(f"'{self.new_op_name}' cannot be the name of an op.")
        if self.old_op_name == self.new_op_name:
            raise ValueError("old_op_name and new_op_name are the same.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes; when no node is of the old op, ``skipped`` says so."""
        found = [node for node in graph if node.op == self.old_op_name]
        if not found:
            return PassResult(graph, (), (absent_op(graph, self.old_op_name),))
        nodes = dict(graph.nodes)
        for node in found:
            nodes[node.name] = dataclasses.replace(node, op=self.new_op_name)
        count = f"{len(found)} {'node' if len(found) == 1 else 'nodes'}"
        what = f"Renamed the op of {count} from {self.old_op_name} to {self.new_op_name}."
        return PassResult(dataclasses.replace(graph, nodes=nodes), (what,))
