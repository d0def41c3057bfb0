"""Passes take time in proportion to the graph, and less than a second for real models."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.synthetic_graph import build
from tests.passes.each_pass import TRIED, sample_call
from tfmobile.graph.model import Graph
from tfmobile.loading import load
from tfmobile.passes import make_pass, rewrite
from tfmobile.passes.affine import BATCH_NORMS

SMALL, LARGE = 28, 112
"""Blocks of the synthetic network: 1,600 and 6,300 nodes."""
MOST = 7.0
"""How much longer the large one may take. Linear is 4, quadratic 16."""


def _cpu_seconds(work: Callable[[Graph], object], graph: Graph) -> float:
    start = time.process_time()
    work(graph)
    return time.process_time() - start


def _growth(work: Callable[[Graph], object], tries: int = 3) -> float:
    """CPU time on the large graph over that on the small one; the best of some tries, since other work disturbs."""
    small, large = build(SMALL, 4), build(LARGE, 4)
    work(build(1, 4))
    least = float("inf")
    for _ in range(tries):
        least = min(least, _cpu_seconds(work, large) / _cpu_seconds(work, small))
        if least <= MOST:
            break
    return least


def test_the_default_passes_take_time_in_proportion_to_the_graph() -> None:
    assert _growth(lambda graph: rewrite(graph, verify=False)) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIED)
def test_each_pass_takes_time_in_proportion_to_the_graph(name: str) -> None:
    def several_times(graph: Graph) -> None:
        one = make_pass(sample_call(name, graph))
        for _ in range(3):
            one.apply(graph)

    assert _growth(several_times, tries=5) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "before", "after"),
    [
        ("models/mobilenet_v1_0.25_224/frozen.pb", 378, 145),
        ("models/efficientnet_lite0/model.keras", 983, 246),
    ],
)
def test_the_default_passes_take_less_than_a_second_on_real_models(
    model: str, before: int, after: int, shared: Path
) -> None:
    graph = load(shared / model).graph
    assert graph is not None
    rewrite(build(1, 4))  # imports TensorFlow
    result = rewrite(graph)
    assert (len(graph), len(result.graph)) == (before, after)
    (norms,) = (step for step in result.steps if step.name == "fold-batch-norms")
    assert norms.changed
    assert not norms.skipped  # a batch norm that is left would be here
    assert not any(node.op in BATCH_NORMS for node in result.graph)
    assert all(step.max_rel is not None and step.max_rel <= 1e-5 for step in result.steps)
    assert sum(step.seconds for step in result.steps) <= 1
