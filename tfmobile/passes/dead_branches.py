"""Conditionals whose predicate is known at inference (a learning phase): keep the branch taken, drop the other.

TF1 dataflow conditionals (Switch … Merge) and TF2 functional ones (If, StatelessIf).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfmobile.graph.dropout import is_phase_placeholder
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.functions import inline_call
from tfmobile.graph.match import PASS_THROUGH
from tfmobile.graph.model import DType, Node, RawAttr, TensorRef

_LOGIC: Mapping[str, Callable[..., bool]] = {
    "LogicalNot": lambda x: not x,
    "LogicalAnd": lambda x, y: x and y,
    "LogicalOr": lambda x, y: x or y,
    "Greater": lambda x, y: x > y,
    "Equal": lambda x, y: x == y,
    "NotEqual": lambda x, y: x != y,
}
_SWITCH = frozenset({"Switch", "RefSwitch"})
_MERGE = frozenset({"Merge", "RefMerge"})
_LOOP = frozenset({"Enter", "RefEnter", "NextIteration", "RefNextIteration"})


def choose_branches(editor: GraphEditor, library: bytes, changed: list[str], skipped: list[str]) -> None:
    """Resolve every conditional whose predicate is known."""
    for node in editor:
        if node.op in ("If", "StatelessIf"):
            _functional(editor, node, library, changed)
    switches = {node.name: value for node in editor if node.op in _SWITCH for value in _predicate(editor, node)}
    if not switches:
        return
    if any(node.op in _LOOP for node in editor):
        skipped.append("Left the conditionals: the graph has TF1 loops.")
        return
    _dataflow(editor, switches, changed, skipped)


def known_bool(editor: GraphEditor, ref: TensorRef, depth: int = 0) -> bool | float | None:
    """The value of a scalar at inference, where it is known; a phase placeholder that nobody feeds is false."""
    node = editor[ref.node]
    if ref.index or depth > 20:
        return None
    if node.op == "Const":
        value = node.value
        return value.item() if value is not None and value.size == 1 and value.dtype.kind in "biuf" else None
    if node.op == "Placeholder":
        phase = node.attrs.get("dtype") == DType("bool") and node.name not in editor.inputs
        return False if phase and is_phase_placeholder(editor, node) else None
    if node.op in PASS_THROUGH | {"Cast"}:
        return known_bool(editor, node.inputs[0], depth + 1)
    if node.op not in _LOGIC:
        return None
    values = [known_bool(editor, item, depth + 1) for item in node.inputs]
    return None if None in values else bool(_LOGIC[node.op](*values))


def _predicate(editor: GraphEditor, node: Node) -> list[bool]:
    value = known_bool(editor, node.inputs[1])
    return [] if value is None else [bool(value)]


def _functional(editor: GraphEditor, node: Node, library: bytes, changed: list[str]) -> None:
    value = known_bool(editor, node.inputs[0])
    if value is None:
        return
    branch = "then_branch" if value else "else_branch"
    function = node.attrs.get(branch)
    if isinstance(function, RawAttr) and inline_call(editor, node, function, node.inputs[1:], library):
        changed.append(f"Replaced the conditional '{node.name}' by its branch for inference.")


def _dataflow(editor: GraphEditor, switches: Mapping[str, bool], changed: list[str], skipped: list[str]) -> None:
    dead = {TensorRef(name, 0 if value else 1) for name, value in switches.items()}
    dead_nodes, live_merges = _spread(editor, dead)
    if any(ref in dead or ref.node in dead_nodes for ref in editor.outputs):
        skipped.append("Left the conditionals: a model output lies in the branch that is not taken.")
        return
    for name, index in live_merges.items():
        merge = editor[name]
        ref = merge.inputs[index]
        editor.redirect(TensorRef(name), ref)
        if editor.readers(TensorRef(name, 1)):
            place = editor.add_constant(f"{name}/value_index", np.array(index, np.int32), beside=name)
            editor.redirect(TensorRef(name, 1), place)
        editor.replace(Node(name, "Identity", (ref,), merge.controls, {"T": merge.attrs["T"]}, merge.device))
        changed.append(f"Replaced the conditional '{name}' by its branch for inference.")
    for name, value in switches.items():
        editor.redirect(TensorRef(name, int(value)), editor[name].inputs[0])
        _free_pivot(editor, name)


def _spread(editor: GraphEditor, dead: set[TensorRef]) -> tuple[set[str], dict[str, int]]:
    """What dies with ``dead`` tensors: nodes; and the Merge nodes left with one live input, with its index."""
    dead_nodes: set[str] = set()
    lost: dict[str, set[int]] = {}
    waiting = [(ref.node, ref) for ref in dead]
    while waiting:
        name, ref = waiting.pop()
        for reader in editor.consumers(name):
            touched = ref in reader.inputs or (name in reader.controls and name in dead_nodes)
            if not touched or reader.name in dead_nodes:
                continue
            if reader.op in _MERGE:
                found = lost.setdefault(reader.name, set())
                found.update(place for place, item in enumerate(reader.inputs) if item.node == name and item == ref)
                if len(found) < len(reader.inputs):
                    continue
            dead_nodes.add(reader.name)
            used = {item for after in editor.consumers(reader.name) for item in after.inputs}
            outputs = {item for item in used if item.node == reader.name} | {TensorRef(reader.name)}
            dead.update(outputs)
            waiting.extend((reader.name, item) for item in outputs)
    live = {
        name: next(place for place in range(len(editor[name].inputs)) if place not in found)
        for name, found in lost.items()
        if len(found) == len(editor[name].inputs) - 1
    }
    return dead_nodes, live


def _free_pivot(editor: GraphEditor, switch: str) -> None:
    """Nothing waits for a branch that is always taken."""
    for reader in editor.consumers(switch):
        if switch in reader.controls:
            editor.update(reader.name, controls=tuple(name for name in reader.controls if name != switch))
