"""The inputs and outputs of a graph without a signature: what is fed, and what inference produces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.graph.model import TensorRef
from tfmobile.loading.edges import edge
from tfmobile.loading.options import End

# Nodes that only training, saving or starting up needs, by operation and by the scope TensorFlow puts them in.
_TRAINING_OP = re.compile(
    r"(Assign\w*|Apply\w*|ResourceApply\w*|ResourceScatter\w*|Scatter\w*|Save\w*|Restore\w*|\w*Summary(V2)?|NoOp|Assert|"
    r"\w*Grad(V[23])?|\w*GradWithArgmax|\w*Backprop(Input|Filter)?(V2)?|BroadcastGradientArgs|VarIsInitializedOp|"
    r"IsVariableInitialized|MergeV2Checkpoints|SparseSoftmaxCrossEntropyWithLogits|SoftmaxCrossEntropyWithLogits|L2Loss|"
    r"InTopK(V2)?|CTCLoss\w*)\Z"
)
_TRAINING_SCOPE = re.compile(r"(^|/)(gradients(_\d+)?|save(_\d+)?|report_uninitialized_variables\w*)/")
_TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")  # what Conv2DTranspose is made of: no training
_LABEL = re.compile(r"(^|[/_])(y|y_true|labels?|targets?|ground_?truth\w*|y_)([_/]|$)", re.IGNORECASE)
_CONSTANT = ("Const", "Variable", "VariableV2", "VarHandleOp", "ReadVariableOp")
PHASES: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"(^|/)(\w*keep_?prob\w*)$", re.IGNORECASE), 1.0),
    (
        re.compile(r"(^|/)(\w*(is_)?training|\w*is_train|phase_?train|\w*learning_phase|train_phase)$", re.IGNORECASE),
        0.0,
    ),
    (re.compile(r"(^|/)(\w*dropout(_?rate)?|drop_?(rate|prob))$", re.IGNORECASE), 0.0),
)


def phase_value(node: Any) -> float | None:
    """What a phase placeholder (keep_prob, is_training, dropout rate) is at inference; None for a real input."""
    shape = node.attr["shape"].shape
    if node.op != "Placeholder" or (shape.dim and not shape.unknown_rank):
        return None
    return next((value for pattern, value in PHASES if pattern.search(node.name)), None)


def guess_outputs(graph_def: Any, path: str) -> list[End]:
    """The sinks of what depends on an input once training, saving and labels are set aside; raises ModelError."""
    nodes = {node.name: node for node in graph_def.node}
    trains = any(re.match(r"(Resource)?Apply", node.op) for node in nodes.values())
    training = _training(nodes)
    sources = [
        node.name
        for node in nodes.values()
        if node.op in ("Placeholder", "PlaceholderWithDefault")
        and node.name not in training
        and phase_value(node) is None
        and not (trains and _LABEL.search(node.name))
    ]
    labels = {name for name, node in nodes.items() if trains and node.op == "Placeholder" and _LABEL.search(name)}
    aside = training | _downstream(nodes, labels | training)
    fed = _downstream(nodes, set(sources)) - aside
    readers = _readers(nodes)
    sinks = [
        name
        for name in nodes
        if name in fed and nodes[name].op not in ("Placeholder", *_CONSTANT) and not fed & set(readers.get(name, ()))
    ]
    sinks = _without_watchers(sinks, nodes, readers)
    if not sinks:
        raise _no_outputs(nodes, path)
    return [End(name, TensorRef(name)) for name in sinks]


def _training(nodes: Mapping[str, Any]) -> set[str]:
    return {
        name
        for name, node in nodes.items()
        if _TRAINING_SCOPE.search(name) or (_TRAINING_OP.match(node.op) and node.op not in _TRANSPOSED)
    }


def _without_watchers(sinks: list[str], nodes: Mapping[str, Any], readers: Mapping[str, list[str]]) -> list[str]:
    """Leave out what only an Assert reads, and what only summaries read when there are others."""

    def watched_by(name: str, ending: str) -> bool:
        own = readers.get(name, [])
        return bool(own) and all(nodes[reader].op.endswith(ending) for reader in own)

    kept = [name for name in sinks if not watched_by(name, "Assert")]
    return [name for name in kept if not watched_by(name, "Summary")] or kept


def _readers(nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    """Node → the nodes that read from it by data."""
    found: dict[str, list[str]] = {}
    for node in nodes.values():
        for ref, control in map(edge, node.input):
            if not control:
                found.setdefault(ref.node, []).append(node.name)
    return found


def _downstream(nodes: Mapping[str, Any], start: Iterable[str]) -> set[str]:
    """``start`` and everything that reads from it by data."""
    readers = _readers(nodes)
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(readers.get(name, ()))
    return seen


def guess_inputs(graph_def: Any) -> list[End]:
    """The placeholders of the (pruned) graph, without those that have a default or only tell the training phase."""
    found = [node for node in graph_def.node if node.op == "Placeholder" and phase_value(node) is None]
    if not found:
        found = [
            node for node in graph_def.node if node.op == "PlaceholderWithDefault" and node.attr["shape"].shape.dim
        ]
    return [End(node.name, TensorRef(node.name)) for node in found]


def _no_outputs(nodes: Mapping[str, Any], path: str) -> ModelError:
    if not nodes:
        return ModelError(f"'{path}' holds an empty graph.", fixes=["Export the model again."])
    last = [name for name, node in nodes.items() if node.op not in _CONSTANT and not _TRAINING_SCOPE.search(name)][-3:]
    return ModelError(
        f"No output was found in the graph of '{path}'.",
        why="No node computes something from an input that nothing else reads.",
        fixes=[f"Name it: --output {name}" for name in reversed(last)] or ["Name it: --output NODE"],
    )
