"""Control edges: drop those that only order what has no effect."""

from __future__ import annotations

from collections.abc import Iterator, Set

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.functions import called, harmless_functions
from tfmobile.graph.match import CONTROL_FLOW, FUNCTIONAL
from tfmobile.graph.model import Node
from tfmobile.graph.ops import is_stateful

TRAINING_ONLY = frozenset(
    {"Assert", "NoOp", "Print", "PrintV2", "CheckNumerics", "CheckNumericsV2", "ScalarSummary", "HistogramSummary"}
    | {"ImageSummary", "AudioSummary", "AudioSummaryV2", "TensorSummary", "TensorSummaryV2", "MergeSummary"}
    | {"WriteSummary", "WriteScalarSummary", "WriteHistogramSummary", "WriteImageSummary", "Placeholder", "Timestamp"}
    | {"FlushSummaryWriter", "RandomUniform", "RandomStandardNormal", "TruncatedNormal"}
)
"""Ops that a model's answer never waits for, although TensorFlow calls some of them stateful."""


def drop_idle_controls(editor: GraphEditor, library: bytes = b"") -> Iterator[str]:
    """Drop the edges onto nodes without effect; an edge onto a NoOp becomes edges onto what that waits for.

    Left alone in graphs with TF1 control flow, where an edge also says in which branch or loop a node lives.
    """
    if any(node.op in CONTROL_FLOW for node in editor):
        return
    waiting = [node for node in editor if node.controls]
    if not waiting:
        return
    search = _Effects(editor, harmless_functions(library, has_effect) if library else frozenset())
    count = 0
    for node in waiting:
        kept = tuple(dict.fromkeys(name for item in node.controls for name in search.of(item)))
        if kept != node.controls:
            count += len(set(node.controls) - set(kept))
            editor.update(node.name, controls=kept)
    if count:
        yield f"Removed {count} control {'edge' if count == 1 else 'edges'} onto nodes without effect."


class _Effects:
    """What waiting for a node waits for, remembered."""

    def __init__(self, editor: GraphEditor, harmless: Set[str]) -> None:
        self._editor = editor
        self._harmless = harmless
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, start: str) -> tuple[str, ...]:
        """The nodes with an effect: ``start`` itself, or those it waits for in turn."""
        waiting, entered = [start], set[str]()
        while waiting:  # without recursion: chains can be as long as the graph
            name = waiting.pop()
            if name in self._known:
                continue
            node = self._editor[name]
            effect = has_effect(node, self._harmless)
            before = () if effect else (*node.controls, *(ref.node for ref in node.inputs))
            if effect or name in entered:
                found = (name,) if effect else (effect for item in before for effect in self._known.get(item, ()))
                self._known[name] = tuple(dict.fromkeys(found))
                continue
            entered.add(name)
            waiting.append(name)
            waiting.extend(item for item in before if item not in entered)
        return self._known[start]


def has_effect(node: Node, harmless: Set[str] = frozenset()) -> bool:
    """Whether running the node does something that another can see. Calls of ``harmless`` functions do not."""
    if node.op in TRAINING_ONLY:
        return False
    if node.op in FUNCTIONAL:
        return not all(name in harmless for name in called(node))
    return is_stateful(node.op)
