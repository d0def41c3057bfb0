"""Conditionals whose predicate is known before the model runs: keep the branch taken, drop the other.

TF1 dataflow conditionals (Switch … Merge; see switches.py) and TF2 functional ones (If, Case, While).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tfmobile.graph.dropout import is_phase_placeholder
from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.functions import Library
from tfmobile.graph.inlining import Callee, functions_of, inline, read_body, replace_call
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import DType, Node
from tfmobile.passes.scalars import Scalar, Scalars, nothing
from tfmobile.passes.switches import SWITCHES, choose_outputs

IFS = frozenset({"If", "StatelessIf"})
CASES = frozenset({"Case", "StatelessCase"})
WHILES = frozenset({"While", "StatelessWhile"})


def choose_branches(
    editor: GraphEditor, library: bytes, changed: list[str], skipped: list[str], *, phases: bool = True
) -> None:
    """Resolve every conditional whose predicate is known; with ``phases``, a learning phase nobody feeds is false."""
    choice = _Choice(editor, library, changed, skipped, phases)
    choice.functional([node.name for node in editor if node.op in IFS | CASES | WHILES])
    names = [node.name for node in editor if node.op in SWITCHES and node.name not in editor.inputs]
    while names and choice.dataflow(names):  # a branch chosen may decide on another
        editor.prune()
        names = [name for name in names if name in editor and editor[name].op in SWITCHES]


def conditional_nodes(editor: GraphEditor) -> set[str]:
    """The nodes that come after TF1 control flow: they may be dead, or belong to a loop."""
    waiting = [node.name for node in editor if node.op in CONTROL_FLOW]
    found = set(waiting)
    while waiting:
        for reader in editor.consumers(waiting.pop()):
            if reader.name not in found:
                found.add(reader.name)
                waiting.append(reader.name)
    return found


class _Choice:
    """The choices made in one graph."""

    def __init__(
        self, editor: GraphEditor, library: bytes, changed: list[str], skipped: list[str], phases: bool
    ) -> None:
        self._editor = editor
        self._content = library
        self._changed = changed
        self._skipped = skipped
        self._phases = phases
        self._taken = "its branch for inference" if phases else "the branch that is always taken"

    def dataflow(self, names: Iterable[str]) -> bool:
        """Resolve Switch nodes; whether something came of it."""
        scalars = self._scalars()
        known = {name: scalars(self._editor[name].inputs[1]) for name in names}
        sides = {name: bool(value) for name, value in known.items() if value is not None}
        done, reason = choose_outputs(self._editor, sides) if sides else ([], "")
        self._changed.extend(f"Replaced the conditional '{name}' by {self._taken}." for name in done)
        if reason:
            self._skipped.append(f"Left the conditionals: {reason}.")
        return bool(done)

    def functional(self, names: Sequence[str]) -> None:
        """Resolve If, Case and While nodes, and those in the branches taken."""
        if not names:
            return
        library, conditional = Library(self._content), conditional_nodes(self._editor)
        waiting = list(reversed(names))
        while waiting:
            node = self._editor[waiting.pop()]
            if node.op in WHILES:
                self._loop(node, library, node.name in conditional)
            elif node.op in IFS | CASES and node.name not in self._editor.inputs:
                waiting.extend(reversed(self._branch(node, library, node.name in conditional)))

    def _branch(self, node: Node, library: Library, conditional: bool) -> list[str]:
        value = self._scalars()(node.inputs[0])
        branch = None if value is None else _branch(node, value)
        if branch is None:
            return []
        body = read_body(library, branch, len(node.inputs) - 1)
        if isinstance(body, str):
            self._skipped.append(f"Left '{node.name}' ({node.op}): {body}.")
            return []
        self._changed.append(f"Replaced the conditional '{node.name}' by {self._taken}.")
        return inline(self._editor, node, body, node.inputs[1:], anchored=conditional)

    def _loop(self, node: Node, library: Library, conditional: bool) -> None:
        """A loop whose condition is false at the start gives what it got."""
        found = functions_of(node.attrs.get("cond"))
        kinds = node.attrs.get("T")
        if conditional or not found or not isinstance(kinds, tuple) or node.name in self._editor.inputs:
            return
        body = read_body(library, found[0], len(node.inputs))
        if isinstance(body, str):
            self._skipped.append(f"Left '{node.name}' ({node.op}): {body}.")
            return
        scalars = self._scalars()
        nodes = {item.name: item for item in body.nodes}
        for name, ref in zip(body.arguments, node.inputs, strict=True):
            value = scalars(ref)
            nodes[name] = Node(name, "Placeholder") if value is None else constant(name, np.array(value))
        condition = Scalars(nodes)(body.results[0])
        if condition is None or condition:
            return
        waits = [*node.controls, *(ref.node for ref in node.inputs if self._editor[ref.node].inputs)]
        replace_call(self._editor, node, node.inputs, kinds, waits)
        self._changed.append(f"Removed the loop '{node.name}': its condition is false at the start.")

    def _scalars(self) -> Scalars:
        return Scalars(self._editor, self._phase if self._phases else nothing)

    def _phase(self, node: Node) -> Scalar | None:
        """False for a phase placeholder that nobody feeds."""
        unfed = node.attrs.get("dtype") == DType("bool") and node.name not in self._editor.inputs
        return False if unfed and is_phase_placeholder(self._editor, node) else None


def _branch(node: Node, value: Scalar) -> Callee | None:
    """The function of the branch that ``value`` chooses; a Case takes its last one for a number out of range."""
    if node.op in IFS:
        found = functions_of(node.attrs.get("then_branch" if value else "else_branch"))
        return found[0] if found else None
    found = functions_of(node.attrs.get("branches"))
    if not found:
        return None
    return found[int(value)] if 0 <= value < len(found) else found[-1]
