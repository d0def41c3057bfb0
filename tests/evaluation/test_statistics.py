"""Intervals and tests, against scipy and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfmobile.evaluation.statistics import (
    fraction_interval,
    mcnemar,
    mean_interval,
    paired_difference,
    root_mean_interval,
    t_quantile,
)

COUNT = st.integers(0, 200)


@pytest.mark.parametrize(("successes", "total"), [(8, 10), (0, 20), (20, 20), (323, 500), (1, 3)])
def test_wilson_is_that_of_scipy(successes: int, total: int) -> None:
    found = fraction_interval(successes, total)
    expected = stats.binomtest(successes, total).proportion_ci(method="wilson")
    assert found.value == successes / total
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Newcombe 1998, table II, method 10 (there: first minus second).
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((18, 14, 0, 18), 0.1441, 0.3963),
    ],
)
def test_the_paired_difference_is_that_of_the_paper(table: tuple[int, ...], low: float, high: float) -> None:
    found = paired_difference(*table)
    assert (-found.high, -found.low) == pytest.approx((low, high), abs=5e-5)


@given(COUNT, COUNT, COUNT, COUNT)
def test_the_paired_difference_contains_its_value_and_is_antisymmetric(a: int, b: int, c: int, d: int) -> None:
    if a + b + c + d == 0:
        return
    found, mirrored = paired_difference(a, b, c, d), paired_difference(a, c, b, d)
    assert -1 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    assert found.value == (c - b) / (a + b + c + d)
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))


def test_the_paired_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    chances = [0.6, 0.08, 0.04, 0.28]
    tables = generator.multinomial(300, chances, 2000)
    covered = [one.low <= chances[2] - chances[1] <= one.high for one in (paired_difference(*row) for row in tables)]
    assert 0.93 < np.mean(covered) < 0.985


@pytest.mark.parametrize(("first", "second"), [(27, 9), (0, 5), (10, 3), (400, 460), (1, 0), (6000, 6100)])
def test_mcnemar_is_the_binomial_test(first: int, second: int) -> None:
    expected = stats.binomtest(first, first + second).pvalue
    assert mcnemar(first, second, mid_p=False) == pytest.approx(expected, rel=1e-7)
    middle = 2 * stats.binom.cdf(min(first, second), first + second, 0.5) - stats.binom.pmf(first, first + second, 0.5)
    assert mcnemar(first, second) == pytest.approx(middle, rel=1e-7)


@given(COUNT, COUNT)
def test_mcnemar_is_symmetric_and_a_probability(first: int, second: int) -> None:
    assert 0 <= mcnemar(first, second) <= 1
    assert mcnemar(first, second) == mcnemar(second, first)
    assert mcnemar(first, first) == pytest.approx(1)


def test_t_quantiles_are_those_of_scipy() -> None:
    for freedom in (1, 2, 3, 4, 5, 6, 8, 12, 30, 200, 10_000):
        assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=3e-4)


def test_the_mean_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).normal(3, 2, 25)
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 24, loc=values.mean(), scale=stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high), rel=1e-3)


def test_the_root_mean_interval_repeats_and_holds_the_value() -> None:
    squares = np.random.default_rng(2).normal(0, 2, 400) ** 2
    found = root_mean_interval(squares)
    assert found == root_mean_interval(squares)
    assert found.value == pytest.approx(math.sqrt(squares.mean()))
    assert found.low < found.value < found.high
    assert found.low < 2 < found.high


def test_too_few_samples_give_no_limits() -> None:
    assert math.isnan(fraction_interval(0, 0).value)
    assert math.isnan(paired_difference(0, 0, 0, 0).value)
    assert math.isnan(mean_interval(np.array([])).value)
    assert mean_interval(np.array([4.0])).value == 4
    assert math.isnan(mean_interval(np.array([4.0])).low)
    assert math.isnan(root_mean_interval(np.array([4.0])).low)


@given(st.integers(1, 500), st.data())
def test_wilson_contains_the_fraction(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, total))
    found = fraction_interval(successes, total)
    assert 0 <= found.low <= found.value <= found.high <= 1
