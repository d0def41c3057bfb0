"""TF1 conditionals, as dataflow: a Switch sends its input one way, and what lies the other way is dead.

The two ways meet in a Merge, which gives the input that is alive.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.model import Node, TensorRef

SWITCHES = frozenset({"Switch", "RefSwitch"})
_MERGES = frozenset({"Merge", "RefMerge"})
_BACK = frozenset({"NextIteration", "RefNextIteration"})


@dataclasses.dataclass(frozen=True)
class _Dead:
    """What is dead: tensors, and nodes; and for each Merge reached, the places of its dead inputs."""

    tensors: set[TensorRef]
    nodes: set[str]
    lost: dict[str, set[int]]


def choose_outputs(editor: GraphEditor, sides: Mapping[str, bool]) -> tuple[list[str], str]:
    """Resolve the Switch nodes whose output (true is 1) is known: the Merge nodes done, or why nothing was done.

    Each Merge left with one input that can be alive becomes an Identity of it.
    """
    dead = _spread(editor, [TensorRef(name, 0 if side else 1) for name, side in sides.items()])
    reason = _why_not(editor, dead)
    if reason:
        return [], reason
    reached = {name: lost for name, lost in dead.lost.items() if name not in dead.nodes}
    done = [name for name, lost in reached.items() if len(lost) == len(editor[name].inputs) - 1]
    for name in done:
        alive = next(place for place in range(len(editor[name].inputs)) if place not in dead.lost[name])
        _bypass_merge(editor, name, alive)
    whole = len(done) == len(reached)
    for name, side in sides.items():
        if name not in dead.nodes:
            _bypass_switch(editor, name, side, remove=whole)
    return done, ""


def _why_not(editor: GraphEditor, dead: _Dead) -> str:
    if any(ref in dead.tensors or ref.node in dead.nodes for ref in editor.outputs):
        return "a model output lies in the branch that is not taken"
    if not dead.nodes.isdisjoint(editor.inputs):
        return "a model input lies in the branch that is not taken"
    for name, lost in dead.lost.items():
        if TensorRef(name, 1) in editor.outputs:
            return f"which input '{name}' takes is a model output"
        if name not in dead.nodes and any(editor[editor[name].inputs[place].node].op in _BACK for place in lost):
            return f"the loop of '{name}' would never come round"
    return ""


def _spread(editor: GraphEditor, tensors: Sequence[TensorRef]) -> _Dead:
    """All that dies with ``tensors``."""
    dead = _Dead(set(tensors), set(), {})
    waiting = list(tensors)
    while waiting:
        ref = waiting.pop()
        for reader in editor.consumers(ref.node):
            if reader.name in dead.nodes or not _dies(editor, reader, ref, dead):
                continue
            dead.nodes.add(reader.name)
            outputs = sorted(_outputs(editor, reader.name) - dead.tensors)
            dead.tensors.update(outputs)
            waiting.extend(outputs)
    return dead


def _dies(editor: GraphEditor, reader: Node, ref: TensorRef, dead: _Dead) -> bool:
    """Whether ``reader`` is dead now that ``ref`` is; a Merge when no input is left but the way back in its loop."""
    if reader.op not in _MERGES:
        return ref in reader.inputs or (ref.node in reader.controls and ref.node in dead.nodes)
    if ref not in reader.inputs:
        return False
    lost = dead.lost.setdefault(reader.name, set())
    lost.update(place for place, item in enumerate(reader.inputs) if item == ref)
    return all(place in lost or editor[item.node].op in _BACK for place, item in enumerate(reader.inputs))


def _outputs(editor: GraphEditor, name: str) -> set[TensorRef]:
    """The outputs of a node that are read, and the first, which stands for its control edges."""
    read = {ref for reader in editor.consumers(name) for ref in reader.inputs if ref.node == name}
    return read | {TensorRef(name)}


def _bypass_merge(editor: GraphEditor, name: str, alive: int) -> None:
    merge, place = editor[name], TensorRef(name, 1)
    ref = merge.inputs[alive]
    editor.redirect(TensorRef(name), ref)
    if editor.readers(place):
        index = constant(editor.fresh(f"{name}/value_index"), np.array(alive, np.int32))
        editor.add(dataclasses.replace(index, controls=(ref.node,)), beside=name)
        editor.redirect(place, TensorRef(index.name))
    editor.replace(Node(name, "Identity", (ref,), merge.controls, {"T": merge.attrs["T"]}, merge.device))


def _bypass_switch(editor: GraphEditor, name: str, side: bool, *, remove: bool) -> None:
    """Let all read the input; what waits for the Switch waits for an Identity, which is alive when that is."""
    switch = editor[name]
    editor.redirect(TensorRef(name, int(side)), switch.inputs[0])
    if remove and not editor.is_boundary(name):
        editor.replace(
            Node(name, "Identity", switch.inputs[:1], switch.controls, {"T": switch.attrs["T"]}, switch.device)
        )
