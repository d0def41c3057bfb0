"""Control edges: drop those that only order what has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from tfmobile.graph.edit import GraphEditor
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


def drop_idle_controls(editor: GraphEditor) -> Iterator[str]:
    """Drop the edges onto nodes without effect; an edge onto a NoOp becomes edges onto what that waits for.

    Left alone in graphs with TF1 control flow, where an edge also says in which branch or loop a node lives.
    """
    if any(node.op in CONTROL_FLOW for node in editor):
        return
    effects: dict[str, tuple[str, ...]] = {}
    count = 0
    for node in editor:
        if not node.controls:
            continue
        kept = tuple(dict.fromkeys(name for item in node.controls for name in _effects(editor, item, effects)))
        if kept != node.controls:
            count += len(set(node.controls) - set(kept))
            editor.update(node.name, controls=kept)
    if count:
        yield f"Removed {count} control {'edge' if count == 1 else 'edges'} onto nodes without effect."


def _effects(editor: GraphEditor, start: str, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The nodes with an effect that waiting for ``start`` waits for: itself, or those it waits for in turn."""
    waiting, entered = [start], set[str]()
    while waiting:  # without recursion: chains can be as long as the graph
        name = waiting.pop()
        if name in known:
            continue
        if name in entered:
            known[name] = _own_effects(editor[name], known)
            continue
        entered.add(name)
        waiting.append(name)
        waiting.extend(item for item in _before(editor[name]) if item not in entered)
    return known[start]


def _own_effects(node: Node, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    if has_effect(node):
        return (node.name,)
    return tuple(dict.fromkeys(name for item in _before(node) for name in known.get(item, ())))


def has_effect(node: Node) -> bool:
    """Whether running the node does something that another can see."""
    return node.op not in TRAINING_ONLY and (node.op in FUNCTIONAL or is_stateful(node.op))


def _before(node: Node) -> tuple[str, ...]:
    return (*node.controls, *(ref.node for ref in node.inputs)) if not has_effect(node) else ()
