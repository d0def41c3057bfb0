"""remove-dead-branches: conditionals that constants decide become the branch that is always taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import origin
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.passes.control_edges import drop_idle_controls
from tfmobile.passes.dead_branches import CASES, IFS, choose_branches
from tfmobile.passes.known_types import Types
from tfmobile.passes.scalars import Scalars
from tfmobile.passes.simplify.bypass import Bypass
from tfmobile.passes.switches import SWITCHES

_SELECTS = frozenset({"Select", "SelectV2"})


@dataclass(frozen=True)
class RemoveDeadBranches:
    """Keep the branch that is always taken where constants decide: a scalar Const, or NOT, AND, OR and comparisons of
    such. Anything longer is a Const after ``fold-constants``.

    - ``If``, ``StatelessIf``, ``Case``, ``StatelessCase``: the nodes of the branch taken stand in the place of the
      node, as ``node/…``; conditionals in it are looked at in turn.
    - ``Switch``: its input is read where the branch is alive. What lies on the other side is dead, and goes, loops too.
      A ``Merge`` left with one input that can be alive becomes that input.
    - ``While``, ``StatelessWhile`` whose condition is false for the values it starts with: what goes in comes out.
    - ``Select``, ``SelectV2``: the input chosen, unless the other one would stretch it.

    Where something was done and no TF1 control flow is left, control edges onto nodes without effect go too: they told
    in which branch a node lives.

    Left alone: conditionals that the data decides; those on whose dead side a model input or output lies; loops and
    selections that lie within TF1 control flow themselves. ``remove-training-nodes`` does the same for a learning phase
    that nobody feeds. The Graph Transform Tool had nothing like it.
    """

    name: ClassVar[str] = "remove-dead-branches"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` has a sentence for each conditional, ``skipped`` one for each predicate that is not constant."""
        editor = GraphEditor(graph)
        changed: list[str] = []
        skipped: list[str] = []
        choose_branches(editor, graph.library, changed, skipped, phases=False)
        _choose_inputs(editor, graph, changed, skipped)
        if changed:
            editor.prune()
            changed.extend(drop_idle_controls(editor, graph.library))
        skipped.extend(_undecided(editor))
        return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))


def _choose_inputs(editor: GraphEditor, graph: Graph, changed: list[str], skipped: list[str]) -> None:
    """The selections by a constant."""
    scalars, bypass = Scalars(editor), Bypass(editor)
    found = [node.name for node in editor if node.op in _SELECTS and scalars(node.inputs[0]) is not None]
    types = Types(graph, [name for name in found if name in graph.nodes])
    for name in found:
        node = editor[name]
        choice = 1 if scalars(node.inputs[0]) else 2
        chosen, other = node.inputs[choice], node.inputs[3 - choice]
        if bypass.idle(node):
            continue
        reason = bypass.why_not(node, chosen)
        if not reason and not _keeps_shape(editor, types, node, chosen, other):
            reason = f"'{other}' may have a larger shape than '{chosen}', which is always chosen"
        if reason:
            skipped.append(f"Left '{name}' ({node.op}): {reason}.")
            continue
        bypass(node, chosen, node.attrs.get("T"))
        changed.append(f"Replaced '{name}' ({node.op}) by '{chosen}', which is always chosen.")


def _keeps_shape(editor: GraphEditor, types: Types, node: Node, chosen: TensorRef, other: TensorRef) -> bool:
    if node.op == "Select":  # both have the same shape
        return True
    value = editor[other.node].value
    return (value is not None and value.ndim == 0) or types.same_shape(TensorRef(node.name), chosen)


def _undecided(editor: GraphEditor) -> Iterator[str]:
    """The conditionals that the data decides, by what it does so with."""
    scalars = Scalars(editor)
    switches: dict[TensorRef, int] = {}
    for node in editor:
        if node.op in IFS | CASES and scalars(node.inputs[0]) is None:
            yield f"Left '{node.name}' ({node.op}): what decides on it, '{node.inputs[0]}', is not constant."
        elif node.op in SWITCHES and scalars(node.inputs[1]) is None:
            predicate = origin(editor, node.inputs[1])
            switches[predicate] = switches.get(predicate, 0) + 1
    for predicate, count in switches.items():
        op = editor[predicate.node].op
        if op not in ("LoopCond", "RefLoopCond"):
            what = "1 Switch node" if count == 1 else f"{count} Switch nodes"
            yield f"Left {what}: what decides, '{predicate}' ({op}), is not constant."
