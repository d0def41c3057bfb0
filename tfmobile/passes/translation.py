"""Samples for a graph whose inputs a pass changed, and the answers that the graph before it gives to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from tfmobile.artifacts import PassResult
from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner

Samples = tuple[Mapping[str, Array], ...]


def translate(
    before: Graph, result: PassResult, samples: Sequence[Mapping[str, Array]]
) -> tuple[Samples, Samples] | None:
    """The samples for the new inputs, and what ``before`` answers; None when it cannot take them.

    An input keeps its feed, or gets it through ``result.feeds``; one that was inside the graph is fed what was
    computed there.
    """
    old_keys = {spec.key for spec in before.inputs}
    inner = [spec for spec in result.graph.inputs if spec.key not in old_keys]
    if any(spec.ref.node not in before.nodes for spec in inner):
        return None
    new: list[Mapping[str, Array]] = []
    answers: list[Mapping[str, Array]] = []
    try:
        with Runner(before, _fetches(before, [spec.ref for spec in inner])) as runner:
            for sample in samples:
                feeds = {key: _forward(result, key, value) for key, value in sample.items()}
                found = runner.run({key: _back(result, key, value) for key, value in feeds.items()})
                feeds.update({spec.key: found[str(spec.ref)] for spec in inner})
                new.append({spec.key: feeds[spec.key] for spec in result.graph.inputs})
                answers.append({spec.key: found[str(spec.ref)] for spec in before.outputs})
        with Runner(
            dataclasses.replace(result.graph, outputs=()), [spec.ref for spec in result.graph.inputs]
        ) as runner:
            runner.run(new[0])  # raises where a new input does not take the old feed
    except TfmobileError:
        return None
    return tuple(new), tuple(answers)


def _fetches(graph: Graph, inner: Sequence[TensorRef]) -> list[TensorRef]:
    return list(dict.fromkeys([*(spec.ref for spec in graph.outputs), *inner]))


def _forward(result: PassResult, key: str, value: Array) -> Array:
    return result.feeds[key].forward(value) if key in result.feeds else value


def _back(result: PassResult, key: str, value: Array) -> Array:
    return result.feeds[key].back(value) if key in result.feeds else value
