"""Passes take time in proportion to the graph."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from benchmarks.synthetic_graph import build
from tests.passes.each_pass import TRIED, sample_call
from tfmobile.graph.model import Graph
from tfmobile.passes import make_pass, rewrite

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
