from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tests.passes.layout.channels_first import first, mobile
from tfmobile.passes import rewrite
from tfmobile.passes.layout import minimum_cut
from tfmobile.passes.layout.minimum_cut import INFINITE, MinimumCut


@pytest.mark.parametrize("seed", range(30))
def test_no_other_division_is_cheaper(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 7))
    cut = MinimumCut()
    nodes = [MinimumCut.SOURCE, MinimumCut.SINK, *(cut.node() for _ in range(count))]
    edges = []
    for _ in range(int(generator.integers(4, 20))):
        start, end = (int(node) for node in generator.choice(nodes, 2, replace=False))
        edges.append((start, end, int(generator.integers(1, 9))))
        cut.edge(*edges[-1])

    def cost(on_a: set[int]) -> int:
        return sum(price for start, end, price in edges if start in on_a and end not in on_a)

    divisions = [
        {MinimumCut.SOURCE, *(node for node, chosen in zip(nodes[2:], flags, strict=True) if chosen)}
        for flags in itertools.product((False, True), repeat=count)
    ]
    cheapest = min(map(cost, divisions))
    found = cut.side_a()
    assert found is not None
    assert cost(found) == cheapest
    assert all(found <= other for other in divisions if cost(other) == cheapest), "the fewest on side A"


def test_what_must_be_is_never_cut() -> None:
    cut = MinimumCut()
    one, two = cut.node(), cut.node()
    cut.edge(MinimumCut.SOURCE, one, 5)
    cut.edge(one, two, INFINITE)
    cut.edge(two, MinimumCut.SINK, 3)
    assert cut.side_a() == {MinimumCut.SOURCE, one, two}


def test_a_search_that_takes_too_long_is_given_up_and_all_layers_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimum_cut, "_PHASES", 0)
    rewritten = rewrite(tf1(mobile, [1, 3, 16, 16]), "nchw-to-nhwc cancel-transposes", tolerance=1e-5)
    assert not [step.reason for step in rewritten.steps if step.refused]
    assert not first(rewritten.graph)
