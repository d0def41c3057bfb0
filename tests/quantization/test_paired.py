"""Tests on pairs, against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tfmobile.quantization.paired import sign_test, t_value, threshold


def test_t_is_that_of_the_paired_test() -> None:
    gains = np.random.default_rng(0).normal(0.2, 1, 30)
    assert t_value(gains) == pytest.approx(stats.ttest_1samp(gains, 0).statistic)


def test_t_of_gains_that_are_all_the_same() -> None:
    assert t_value(np.zeros(5)) == 0
    assert t_value(np.full(5, 0.25)) == math.inf
    assert t_value(np.full(5, -0.25)) == -math.inf
    assert t_value(np.array([3.0])) == 0


def test_the_sign_test_is_the_binomial_test_with_mid_p() -> None:
    for lost, won in ((0, 5), (3, 9), (150, 100)):
        fewer, total = min(lost, won), lost + won
        mid_p = 2 * stats.binom.cdf(fewer, total, 0.5) - stats.binom.pmf(fewer, total, 0.5)
        assert sign_test(lost, won) == pytest.approx(mid_p)
    assert sign_test(0, 0) == sign_test(7, 7) == 1
    assert sign_test(0, 5) == pytest.approx(1 / 32)
    assert sign_test(2, 9) == sign_test(9, 2)


def test_few_pairs_need_a_larger_t() -> None:
    assert threshold(2) == 4
    assert threshold(6) == 2
    assert threshold(600) < 1.02
