"""strip-unused: remove every node that no output needs, and what lies before an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.functions import unused_library
from tfmobile.graph.model import DType, Graph, Node, ShapeAttr, TensorSpec


@dataclass(frozen=True)
class StripUnused:
    """Cut at the inputs (each becomes a Placeholder), then keep what the outputs depend on. Inputs always stay."""

    name: ClassVar[str] = "strip-unused"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """The smaller graph; a multi-output node that is an input is not cut, and said."""
        editor = GraphEditor(graph)
        changed: list[str] = []
        skipped: list[str] = []
        for spec in graph.inputs:
            self._cut(editor, spec, changed, skipped)
        result = editor.finish()
        gone = len(graph) - len(result)
        if gone:
            changed.append(f"Removed {gone} {'node' if gone == 1 else 'nodes'} that no output needs.")
        if result.library and unused_library(result):
            result = editor.finish(library=b"")
            changed.append("Removed the function library, which nothing calls.")
        return PassResult(result if changed else graph, tuple(changed), tuple(skipped))

    def _cut(self, editor: GraphEditor, spec: TensorSpec, changed: list[str], skipped: list[str]) -> None:
        node = editor[spec.ref.node]
        if node.op == "Placeholder":
            return
        others = [ref for reader in editor.consumers(node.name) for ref in reader.inputs if ref.node == node.name]
        if spec.ref.index or any(ref.index for ref in others):
            skipped.append(f"'{node.name}' is an input with several outputs ({node.op}) and was not cut.")
            return
        attrs = {"dtype": DType(spec.dtype), "shape": ShapeAttr(spec.shape)}
        editor.replace(Node(node.name, "Placeholder", attrs=attrs))
        changed.append(f"Cut the graph at the input '{node.name}' ({node.op}).")
