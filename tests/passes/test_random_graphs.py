"""Random graphs keep their answer through every pass, and through any order of passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.passes.each_pass import KEEPING, TRIED, feeds_through, moved, tried
from tests.passes.random_graphs import graphs
from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.graph.samples import random_samples
from tfmobile.graph.text import print_graph

TOLERANCE = 1e-4
"""Of the output's largest value; small differences of large numbers are among the random outputs."""
BUSY = frozenset(
    {"fold-constants", "fold-batch-norms", "fold-scales", "merge-duplicate-nodes", "merge-reshapes", "nchw-to-nhwc"}
    | {"cancel-transposes", "flatten-atrous-conv", "fold-input-scale", "round-weights", "quantize-weights"}
)
"""Passes that some of the graphs give something to do; the others may find nothing, or always find something."""
EVERY = settings(
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SIZES = [
    pytest.param(200, 3, id="few"),
    pytest.param(1500, 5, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
]
"""How many graphs, of how many blocks."""


def _each_alone(graph: Graph, changed: Counter[str]) -> None:
    (feed,) = random_samples(graph, 1)
    answers = run(graph, feed)
    text = print_graph(graph)
    for name in TRIED:
        result = tried(name, graph)
        if result is None:
            continue
        changed[name] += 1
        new, old = feeds_through([result], feed)
        far = moved(run(result.graph, new), run(graph, old) if result.feeds else answers)
        assert np.isfinite(far), f"{name}: an output has NaN, or another shape"
        assert far <= TOLERANCE or name not in KEEPING, f"{name}: an output moves by {far:.3g}"
    assert print_graph(graph) == text, "a pass changed the graph it was given"


def _in_turn(graph: Graph, names: Sequence[str]) -> None:
    results: list[PassResult] = []
    after = graph
    for name in names:
        result = tried(name, after)
        if result is not None:
            results.append(result)
            after = result.graph
    new, old = feeds_through(results, random_samples(graph, 1)[0])
    assert moved(run(after, new), run(graph, old)) <= TOLERANCE


@pytest.mark.parametrize(("count", "most"), SIZES)
def test_each_pass_alone(count: int, most: int) -> None:
    changed: Counter[str] = Counter()

    @settings(EVERY, max_examples=count)
    @given(graphs(most))
    def check(graph: Graph) -> None:
        _each_alone(graph, changed)

    check()
    print(f"graphs changed, of {count}: {dict(changed)}")
    assert changed.keys() >= BUSY


@pytest.mark.parametrize(("count", "most"), SIZES)
def test_any_order_of_passes(count: int, most: int) -> None:
    @settings(EVERY, max_examples=2 * count)
    @given(graphs(most), st.lists(st.sampled_from(sorted(KEEPING)), min_size=2, max_size=7))
    def check(graph: Graph, names: list[str]) -> None:
        _in_turn(graph, names)

    check()
