"""remove-nodes: bypass all nodes of the ops that are named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Graph, Node
from tfmobile.passes.editing.absent import absent_op


@dataclass(frozen=True)
class RemoveNodes:
    """Remove the nodes of each ``op`` (it may repeat; ``"A|B"`` means both): what read the node reads its first input.

    A node goes when it has at least one and at most ``max_inputs`` data inputs, and only its first output is read.
    Chains of such nodes go whole. What waited for the node waits for its first input, and what reads it waits for what
    it waited for. Other inputs of the node, such as the shape of a Reshape, go too when nothing else needs them.

    Left alone, with the reason told: inputs and outputs of the model; nodes without data input, or with more than
    ``max_inputs``; nodes of which another output is read; TF1 control flow, and nodes next to it, which hold branches
    and loops together. An op that no node has is told too, with the nearest that there is.

    The pass does what it is told: how far the answer moved is measured and told. It is refused only when the graph does
    not run any more, or an output becomes NaN or gets another shape.

    The original also removed nodes whose second output was read, and left graphs that did not load. It took ``"*"`` for
    every op; here each op is named.
    """

    name: ClassVar[str] = "remove-nodes"
    keeps_answer: ClassVar[bool] = False
    op: tuple[str, ...]
    max_inputs: int = 1

    def __post_init__(self) -> None:
        if not self._ops() or "*" in self._ops():
            raise ValueError("each op must be named, as in op=Identity.")
        if self.max_inputs < 1:
            raise ValueError(f"max_inputs is at least 1, not {self.max_inputs}.")

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the nodes removed of each op."""
        ops = self._ops()
        skipped = [absent_op(graph, op) for op in ops if all(node.op != op for node in graph)]
        editor = GraphEditor(graph)
        removed = dict.fromkeys(ops, 0)
        counted: dict[str, int] = {}
        for node in editor:
            if node.op not in removed:
                continue
            summed, single = self._why_not(editor, node)
            if summed:
                counted[summed] = counted.get(summed, 0) + 1
            elif single:
                skipped.append(f"Left '{node.name}' ({node.op}): {single}")
            else:
                _bypass(editor, node)
                removed[node.op] += 1
        skipped.extend(f"Left {count} {'node' if count == 1 else 'nodes'} {why}" for why, count in counted.items())
        changed = tuple(
            f"Removed {count} {op} {'node' if count == 1 else 'nodes'}." for op, count in removed.items() if count
        )
        return PassResult(editor.finish(prune=False) if changed else graph, changed, tuple(skipped))

    def _ops(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for text in self.op for name in text.split("|") if name))

    def _why_not(self, editor: GraphEditor, node: Node) -> tuple[str, str]:
        """Why the node stays: a reason that many may share, or one of its own; both empty when it can go."""
        if editor.is_boundary(node.name):
            what = "an input" if node.name in editor.inputs else "an output"
            return "", f"it is {what} of the model."
        if not node.inputs:
            return f"of op {node.op}: without a data input, nothing can stand in for them.", ""
        if node.op in CONTROL_FLOW:
            return f"of op {node.op}: control flow stays as it is.", ""
        if len(node.inputs) > self.max_inputs:
            return f"of op {node.op}: max_inputs={self.max_inputs} is less than their data inputs.", ""
        return "", _held(editor, node)


def _held(editor: GraphEditor, node: Node) -> str:
    if node.inputs[0].node == node.name:
        return "it reads itself."
    around = [editor[ref.node] for ref in node.inputs] + editor.consumers(node.name)
    flow = next((item for item in around if item.op in CONTROL_FLOW), None)
    if flow is not None:
        return f"it stands next to control flow ('{flow.name}', {flow.op})."
    for reader in editor.consumers(node.name):
        other = next((ref for ref in reader.inputs if ref.node == node.name and ref.index), None)
        if other is not None:
            return f"'{reader.name}' reads its output {other.index}, which no input can stand in for."
    return ""


def _bypass(editor: GraphEditor, node: Node) -> None:
    first = node.inputs[0]
    for reader in editor.consumers(node.name):
        inputs = tuple(first if ref.node == node.name else ref for ref in reader.inputs)
        controls: Iterable[str] = (*reader.controls, *node.controls)
        if node.name in reader.controls:
            controls = (first.node, *(name for name in controls if name != node.name))
        editor.update(reader.name, inputs=inputs, controls=tuple(dict.fromkeys(controls)))
    _drop(editor, editor[node.name])


def _drop(editor: GraphEditor, node: Node) -> None:
    """Remove the node, and of what only it read, all but its first input."""
    editor.remove(node.name)
    waiting = [ref.node for ref in node.inputs if ref.node != node.inputs[0].node]
    while waiting:
        gone = editor.get(waiting.pop())
        if gone is None or editor.consumers(gone.name) or editor.is_boundary(gone.name):
            continue
        editor.remove(gone.name)
        waiting.extend(ref.node for ref in gone.inputs)
