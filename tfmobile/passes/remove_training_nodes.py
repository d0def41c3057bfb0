"""remove-training-nodes: what only training needs. Dropout, learning-phase branches, pass-through nodes, assertions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.dropout import Dropout, find_dropouts, is_phase_placeholder
from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.match import CONTROL_FLOW, PASS_THROUGH, attr_dtype, origin
from tfmobile.graph.model import DType, Graph, Node, TensorRef
from tfmobile.passes.control_edges import drop_idle_controls
from tfmobile.passes.dead_branches import choose_branches


@dataclass(frozen=True)
class RemoveTrainingNodes:
    """In this order: defaults of unfed placeholders; the branches not taken at inference; dropout; Identity,
    StopGradient, CheckNumerics and their like; control edges to assertions, summaries and other idle nodes.

    In graphs with TF1 loops and conditionals, nothing that touches control flow is changed.
    """

    name: ClassVar[str] = "remove-training-nodes"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` has one sentence for each dropout and conditional, and one for each kind of the rest."""
        editor = GraphEditor(graph)
        changed: list[str] = []
        skipped: list[str] = []
        changed.extend(_use_defaults(editor))
        choose_branches(editor, graph.library, changed, skipped)
        editor.prune()
        changed.extend(_remove_dropout(editor))
        editor.prune()
        changed.extend(drop_idle_controls(editor, graph.library))
        changed.extend(_remove_pass_through(editor))
        changed.extend(_set_phases(editor))
        result = editor.finish() if changed else graph
        return PassResult(result, tuple(changed), tuple(skipped))


def _use_defaults(editor: GraphEditor) -> Iterator[str]:
    """A PlaceholderWithDefault that is no model input always has its default."""
    for node in editor:
        if node.op == "PlaceholderWithDefault" and node.name not in editor.inputs:
            _bypass(editor, node, node.inputs[0])
            yield f"Set '{node.name}' to its default."


def _remove_dropout(editor: GraphEditor) -> Iterator[str]:
    for found in find_dropouts(editor):
        node = editor[found.output]
        if node.inputs and node.op != "Identity":
            _bypass(editor, node, found.data)
            yield f"Removed the dropout '{found.output}' ({_rate(editor, found)})."


def _rate(editor: GraphEditor, dropout: Dropout) -> str:
    what = "keep probability" if dropout.neutral else "rate"
    node = editor[origin(editor, dropout.probability).node]
    value = node.value
    if value is not None and value.size == 1:
        return f"{what} {float(value.item()):g}; it was active"
    return f"{what} from '{node.name}'"


def _remove_pass_through(editor: GraphEditor) -> Iterator[str]:
    counts: dict[str, int] = {}
    for node in editor:
        if node.op not in PASS_THROUGH | {"IdentityN"} or editor.is_boundary(node.name) or not node.inputs:
            continue
        if node.controls or _touches_control_flow(editor, node):
            continue
        for index, ref in enumerate(node.inputs if node.op == "IdentityN" else node.inputs[:1]):
            editor.redirect(TensorRef(node.name, index), ref)
        counts[node.op] = counts.get(node.op, 0) + (not editor.consumers(node.name))
    for op, count in sorted(counts.items()):
        if count:
            yield f"Removed {count} {op} {'node' if count == 1 else 'nodes'}."


def _touches_control_flow(editor: GraphEditor, node: Node) -> bool:
    """Whether the node stands at the edge of a branch or loop, where it decides what is alive."""
    if any(editor[ref.node].op in CONTROL_FLOW for ref in node.inputs):
        return True
    return any(reader.op in CONTROL_FLOW for reader in editor.consumers(node.name))


def _set_phases(editor: GraphEditor) -> Iterator[str]:
    """A phase placeholder that nobody feeds and that is still read gets its value at inference."""
    for node in editor:
        if node.name in editor.inputs or not is_phase_placeholder(editor, node) or not editor.consumers(node.name):
            continue
        kind = attr_dtype(node, "dtype")
        if kind == "bool":
            editor.replace(constant(node.name, np.array(False)))
            yield f"Set '{node.name}' to false."
        elif kind in ("float32", "float64", "float16") and "keep" in node.name.lower():
            editor.replace(constant(node.name, np.array(1.0, np.dtype(kind))))
            yield f"Set '{node.name}' to 1."


def _bypass(editor: GraphEditor, node: Node, ref: TensorRef) -> None:
    """Let all read ``ref`` instead of ``node``, which becomes an Identity if it is a model output."""
    editor.redirect(TensorRef(node.name), ref)
    if editor.is_boundary(node.name):
        kind = node.attrs.get("T") or node.attrs.get("dtype") or DType("float32")
        editor.replace(Node(node.name, "Identity", (ref,), node.controls, {"T": kind}, node.device))
