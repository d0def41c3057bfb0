"""The statistics of latency: percentiles, an interval for the median, an interval for a ratio of paired blocks.

Runs of one block share the state of the machine (frequency, caches, neighbours), so they are not independent. Blocks
are spread over the whole measurement in random order; their medians are what the intervals are computed from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfmobile.artifacts import Interval

CONFIDENCE = 0.95
RESAMPLES = 2000


def percentile(values: Sequence[float], percent: float) -> float:
    """The ``percent`` percentile, interpolated linearly between order statistics (Hyndman & Fan 1996, type 7)."""
    return float(np.percentile(np.asarray(values, np.float64), percent))


def median_ranks(count: int, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """The ranks (from 1) of the two order statistics that enclose the median; None when ``count`` is too small.

    The number of values below the median is binomial (count, ½), whatever the distribution: the interval from rank k
    to count + 1 − k covers it with probability 1 − 2·P(B < k). The largest k that keeps ``confidence`` is taken
    (W. J. Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2).
    """
    below, rank = 0.0, 0
    while rank < count:
        below += math.exp(_log_choose(count, rank) - count * math.log(2))
        if 2 * below > 1 - confidence:
            break
        rank += 1
    return (rank, count + 1 - rank) if rank else None


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def median_interval(blocks: Sequence[Sequence[float]]) -> Interval:
    """The median of all times with a distribution-free 95 % interval, from the medians of the blocks.

    Below six blocks no interval has that confidence: then it spans the smallest to the largest time.
    """
    value = percentile([time for block in blocks for time in block], 50)
    ranks = median_ranks(len(blocks))
    if ranks is None:
        times = [time for block in blocks for time in block]
        return Interval(value, min(times), max(times))
    medians = sorted(percentile(block, 50) for block in blocks)
    return Interval(value, min(medians[ranks[0] - 1], value), max(medians[ranks[1] - 1], value))


def half_width(interval: Interval) -> float:
    """Half the interval's width relative to its value."""
    return (interval.high - interval.low) / 2 / interval.value if interval.value > 0 else math.inf


def ratio_interval(baseline: Sequence[Sequence[float]], other: Sequence[Sequence[float]], seed: int = 0) -> Interval:
    """How many times faster ``other`` is: the median over rounds of (median of baseline block / median of other block).

    Block k of both was measured in the same round, so drift of the machine cancels in each quotient. The interval is
    the percentile bootstrap over rounds (Efron & Tibshirani, An Introduction to the Bootstrap, chapter 13), seeded.
    """
    rounds = min(len(baseline), len(other))
    quotients = np.array([percentile(baseline[k], 50) / percentile(other[k], 50) for k in range(rounds)])
    generator = np.random.default_rng(seed)
    drawn = quotients[generator.integers(0, rounds, (RESAMPLES, rounds))]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.median(drawn, axis=1), [tail, 100 - tail])
    value = float(np.median(quotients))
    return Interval(value, min(float(low), value), max(float(high), value))


def evenly(values: Sequence[float], most: int) -> tuple[float, ...]:
    """At most ``most`` of the values, evenly spread, in order."""
    if len(values) <= most:
        return tuple(values)
    picked = np.linspace(0, len(values) - 1, most).round().astype(int)
    return tuple(values[index] for index in picked)
