"""Intervals and tests for accuracy, without scipy. All intervals are at 95 % unless ``z`` says otherwise.

- fractions: Wilson's score interval (Wilson 1927, JASA 22:209);
- the difference of two fractions on the same samples: method 10 of Newcombe (1998), Statistics in Medicine 17:2635;
- whether two models err differently: McNemar's test, exact with mid-p (Fagerland, Lydersen and Laake 2013, BMC Medical
  Research Methodology 13:91);
- means: Student's t; root mean squares: percentile bootstrap (Efron 1979), seeded.
"""

from __future__ import annotations

import math

import numpy as np

from tfmobile.artifacts import Interval
from tfmobile.graph.model import Array

Z95 = 1.959963984540054
_T95_SMALL = (math.nan, 12.706204736432095, 4.302652729911275, 3.182446305284263, 2.7764451051977987)
_BOOTSTRAP_ROUNDS = 1000


def fraction_interval(successes: int, total: int, z: float = Z95) -> Interval:
    """``successes`` of ``total`` with Wilson's score interval; NaN when ``total`` is 0."""
    if total == 0:
        return Interval(math.nan, math.nan, math.nan)
    p = successes / total
    shrink = 1 + z * z / total
    center = (p + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return Interval(p, min(p, max(0.0, center - half)), max(p, min(1.0, center + half)))


def paired_difference(both: int, only_first: int, only_second: int, neither: int, z: float = Z95) -> Interval:
    """Second minus first fraction on the same samples: Newcombe's method 10 (score limits, corrected correlation).

    ``both`` are right in both, ``only_first`` in the first only, and so on. NaN when there are no samples.
    """
    total = both + only_first + only_second + neither
    if total == 0:
        return Interval(math.nan, math.nan, math.nan)
    first = fraction_interval(both + only_first, total, z)
    second = fraction_interval(both + only_second, total, z)
    phi = _correlation(both, only_first, only_second, neither)
    difference = (only_second - only_first) / total
    down = _combine(second.value - second.low, first.high - first.value, phi)
    up = _combine(second.high - second.value, first.value - first.low, phi)
    return Interval(difference, max(-1.0, difference - down), min(1.0, difference + up))


def _correlation(a: int, b: int, c: int, d: int) -> float:
    product = float(a + b) * (c + d) * (a + c) * (b + d)
    if product == 0:
        return 0.0
    cross = a * d - b * c
    corrected = max(cross - (a + b + c + d) / 2, 0.0) if cross > 0 else float(cross)
    return corrected / math.sqrt(product)


def _combine(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def mcnemar(only_first: int, only_second: int, *, mid_p: bool = True) -> float:
    """Two-sided p-value that both models err equally often: binomial test of the discordant pairs against 1/2.

    ``mid_p`` counts the observed table half, which makes the exact test less conservative. 1 without discordant pairs.
    """
    total = only_first + only_second
    if total == 0:
        return 1.0
    smaller = min(only_first, only_second)
    logs = [
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) - total * math.log(2)
        for k in range(smaller + 1)
    ]
    tail = math.fsum(math.exp(value) for value in logs)
    return min(1.0, 2 * tail - (math.exp(logs[-1]) if mid_p else 0.0))


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: exact up to 4 degrees of freedom, else the Cornish-Fisher expansion
    (Abramowitz and Stegun 26.7.5), right to four digits."""
    if freedom < len(_T95_SMALL):
        return _T95_SMALL[max(freedom, 0)]
    z, n = Z95, float(freedom)
    z3, z5, z7, z9 = z**3, z**5, z**7, z**9
    first = (z3 + z) / 4
    second = (5 * z5 + 16 * z3 + 3 * z) / 96
    third = (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / 384
    fourth = (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / 92160
    return z + first / n + second / n**2 + third / n**3 + fourth / n**4


def mean_interval(values: Array) -> Interval:
    """Mean of [N] values with Student's t interval; the limits are NaN for one value, everything is for none."""
    if len(values) == 0:
        return Interval(math.nan, math.nan, math.nan)
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, math.nan, math.nan)
    half = t_quantile(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def root_mean_interval(squares: Array, seed: int = 0) -> Interval:
    """Square root of the mean of [N] squared errors, with the percentile bootstrap over samples."""
    if len(squares) == 0:
        return Interval(math.nan, math.nan, math.nan)
    root = math.sqrt(float(np.mean(squares)))
    if len(squares) == 1 or not math.isfinite(root):
        return Interval(root, math.nan, math.nan)
    generator = np.random.default_rng(seed)
    count = len(squares)
    means = [float(squares[generator.integers(0, count, count)].mean()) for _ in range(_BOOTSTRAP_ROUNDS)]
    low, high = np.sqrt(np.percentile(means, [2.5, 97.5]))
    return Interval(root, min(root, float(low)), max(root, float(high)))
