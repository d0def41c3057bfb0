"""backport-concatv2: ConcatV2 as the op that came before it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import attr_dtype
from tfmobile.graph.model import Graph, Node, TensorRef


@dataclass(frozen=True)
class BackportConcatV2:
    """Turn every ConcatV2 into a Concat, for runtimes older than TensorFlow 1.0: the axis comes first, not last.

    Concat takes an int32 axis only. A constant int64 axis becomes an int32 constant; with an int64 axis that is
    computed, the node is left alone. The original did not look at the type of the axis.
    """

    name: ClassVar[str] = "backport-concatv2"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes."""
        found = [node for node in graph if node.op == "ConcatV2" and node.inputs]
        if not found:
            return PassResult(graph)
        editor = GraphEditor(graph)
        skipped: list[str] = []
        count = 0
        for node in found:
            axis = _axis(editor, node)
            if axis is None:
                skipped.append(f"Left '{node.name}' (ConcatV2): its axis is int64 and not constant.")
                continue
            attrs = {key: value for key, value in node.attrs.items() if key != "Tidx"}
            editor.replace(dataclasses.replace(node, op="Concat", inputs=(axis, *node.inputs[:-1]), attrs=attrs))
            count += 1
        changed = (f"Turned {count} ConcatV2 into Concat.",) if count else ()
        return PassResult(editor.finish(prune=False) if count else graph, changed, tuple(skipped))


def _axis(editor: GraphEditor, node: Node) -> TensorRef | None:
    axis = node.inputs[-1]
    if attr_dtype(node, "Tidx") != "int64":
        return axis
    value = editor[axis.node].value
    if value is None:
        return None
    new = editor.add_constant(f"{node.name}/concat_dim", value.astype(np.int32), beside=node.name)
    editor.update(new.node, controls=editor[axis.node].controls)  # alive in the same branch
    return new
