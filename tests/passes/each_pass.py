"""How every pass is called in the tests that try them all, and how answers are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tfmobile import registry
from tfmobile.artifacts import PassResult
from tfmobile.errors import UnsupportedError, UsageError
from tfmobile.graph.distance import distance, largest
from tfmobile.graph.model import Array, Graph
from tfmobile.passes import PASSES, make_pass

Answers: TypeAlias = Mapping[str, Array]

ARGUMENTS: Mapping[str, str | Callable[[Graph], str]] = {
    "round-weights": "num_steps=256",
    "quantize-weights": "minimum_size=16",
    "remove-attribute": "attribute_name=use_cudnn_on_gpu",
    "rename-attribute": "old_attribute_name=use_cudnn_on_gpu, new_attribute_name=_use_cudnn",
    "rename-op": "old_op_name=Relu6, new_op_name=Relu",
    "rename-node": lambda graph: f"old_node_name='{_inner(graph)}', new_node_name='{_free(graph)}'",
    "remove-nodes": "op=Identity",
    "set-device": "device='/cpu:0'",
    "bake-preprocessing": "mean=0.5, std=0.25",
    "insert-logging": "op=Relu, op=Conv2D, first_n=0",
}
"""What passes are called with; those not named here are called without arguments."""
ELSEWHERE = {"freeze-requantization-ranges": "it needs a log of the graph's own ranges"}
"""Passes that cannot be tried on any graph, and why."""


DECLINE = frozenset({"bake-preprocessing"})
"""Passes that say so with an error where what is asked for cannot be done, and do not pass over it."""


TRIED = [name for name in PASSES if name not in ELSEWHERE]
KEEPING = frozenset(name for name in TRIED if registry.load("pass", PASSES, name).keeps_answer)
"""Passes that must not move the answer."""


def tried(name: str, graph: Graph) -> PassResult | None:
    """What the pass makes of ``graph``; None where it left it as it is."""
    try:
        result: PassResult = make_pass(sample_call(name, graph)).apply(graph)
    except (UsageError, UnsupportedError):
        if name in DECLINE:
            return None
        raise
    if result.graph is graph:
        assert not result.changed, name
        return None
    return result


def sample_call(name: str, graph: Graph) -> str:
    """A call of the pass ``name`` that means something for ``graph``."""
    arguments = ARGUMENTS.get(name, "")
    return f"{name}({arguments if isinstance(arguments, str) else arguments(graph)})"


def _inner(graph: Graph) -> str:
    ends = {spec.ref.node for spec in (*graph.inputs, *graph.outputs)}
    return next((name for name in graph.nodes if name not in ends), graph.outputs[0].ref.node)


def _free(graph: Graph) -> str:
    return next(name for count in range(len(graph) + 1) if (name := f"renamed_{count}") not in graph.nodes)


def feeds_through(results: Sequence[PassResult], feed: Answers) -> tuple[Answers, Answers]:
    """What the last graph takes for ``feed``, and what that means to the first one (pixels are rounded, say)."""
    for result in results:
        feed = {key: result.feeds[key].forward(value) if key in result.feeds else value for key, value in feed.items()}
    last = feed
    for result in reversed(results):
        feed = {key: result.feeds[key].back(value) if key in result.feeds else value for key, value in feed.items()}
    return last, feed


def moved(ours: Answers, theirs: Answers) -> float:
    """The largest difference over the outputs, each relative to its largest value."""
    assert ours.keys() == theirs.keys()
    return max(distance(ours[key], theirs[key]) / (largest(theirs[key]) or 1.0) for key in theirs)
