"""Statistics of latency against known values and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfmobile.artifacts import Interval
from tfmobile.benchmarking.intervals import (
    evenly,
    half_width,
    median_interval,
    median_ranks,
    percentile,
    ratio_interval,
)


# Conover, Practical Nonparametric Statistics: from the binomial table with p = 1/2.
@pytest.mark.parametrize(
    ("count", "ranks"),
    [(5, None), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (10, (2, 9)), (16, (4, 13)), (20, (6, 15)), (25, (8, 18))],
)
def test_the_ranks_around_the_median_are_those_of_the_binomial_table(count: int, ranks: tuple[int, int] | None) -> None:
    assert median_ranks(count) == ranks


@pytest.mark.parametrize("count", [6, 17, 40, 333])
def test_the_ranks_are_the_narrowest_that_keep_the_confidence(count: int) -> None:
    found = median_ranks(count)
    assert found is not None

    def covered(rank: int) -> float:
        return 1 - 2 * sum(math.comb(count, k) for k in range(rank)) / 2**count

    assert covered(found[0]) >= 0.95
    assert covered(found[0] + 1) < 0.95
    assert found[0] + found[1] == count + 1


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    draws = generator.lognormal(0.0, 0.5, (400, 25))
    intervals = [median_interval([[value] for value in row]) for row in draws]
    covered = np.mean([one.low <= 1.0 <= one.high for one in intervals])
    assert 0.92 < covered < 0.99


def test_the_interval_of_blocks_does_not_shrink_with_more_runs_a_block() -> None:
    generator = np.random.default_rng(0)
    levels = generator.normal(10, 1, 20)  # what a block's runs share
    wide = median_interval([[level] * 50 for level in levels])
    assert half_width(wide) > 0.02


def test_too_few_blocks_give_the_whole_span() -> None:
    assert median_interval([[1.0, 2.0], [9.0]]) == Interval(2.0, 1.0, 9.0)


def test_percentiles_interpolate_between_order_statistics() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 90) == pytest.approx(4.6)


def test_drift_of_the_machine_cancels_in_the_ratio() -> None:
    drift = np.linspace(1, 5, 30)
    found = ratio_interval([[2 * d] for d in drift], [[d] for d in drift])
    assert (found.low, found.value, found.high) == pytest.approx((2, 2, 2))


def test_the_ratio_says_how_many_times_faster_and_is_the_same_each_time() -> None:
    generator = np.random.default_rng(1)
    slow = [list(generator.normal(30, 2, 5)) for _ in range(40)]
    fast = [list(generator.normal(10, 1, 5)) for _ in range(40)]
    found = ratio_interval(slow, fast)
    assert found.low < 3 < found.high
    assert found.high - found.low < 0.3
    assert found == ratio_interval(slow, fast)


def test_kept_times_are_spread_evenly_and_in_order() -> None:
    assert evenly([1.0, 2.0], 5) == (1.0, 2.0)
    assert evenly(list(map(float, range(101))), 5) == (0.0, 25.0, 50.0, 75.0, 100.0)
