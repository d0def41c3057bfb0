"""Nodes that only hand on one of their inputs: let all read that input instead."""

from __future__ import annotations

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Attr, DType, Node, TensorRef


class Bypass:
    """Takes nodes out of the way in one graph, where that changes neither order nor what is alive."""

    def __init__(self, editor: GraphEditor) -> None:
        self._editor = editor
        self.control_flow = any(node.op in CONTROL_FLOW for node in editor)

    def why_not(self, node: Node, ref: TensorRef) -> str:
        """Why ``node`` must stay although its value is that of ``ref``; empty when it need not."""
        editor = self._editor
        if node.name in editor.inputs:
            return "it is a model input"
        if node.controls:
            return "it waits for other nodes"
        if not self.control_flow:
            return ""
        if any(node.name in reader.controls for reader in editor.consumers(node.name)):
            return "other nodes wait for it"
        others = [editor[item.node] for item in node.inputs if item != ref]
        if any(other.op != "Const" or other.controls for other in others):  # which may be dead when ``ref`` is not
            return "it lies within TF1 control flow"
        return ""

    def idle(self, node: Node) -> bool:
        """Whether nothing reads the node: there is nothing to take out of the way."""
        return not self._editor.consumers(node.name) and not self._editor.is_boundary(node.name)

    def __call__(self, node: Node, ref: TensorRef, kind: Attr) -> None:
        """Let all read ``ref``; a model output becomes an Identity of it, of dtype ``kind``."""
        editor = self._editor
        editor.redirect(TensorRef(node.name), ref)
        editor.redirect_controls(node.name, [ref.node])
        if editor.is_boundary(node.name):
            attrs = {"T": kind or DType("float32")}
            editor.replace(Node(node.name, "Identity", (ref,), node.controls, attrs, node.device))
