"""Tests on pairs: the same samples before and after a change."""

from __future__ import annotations

import math

from tfmobile.graph.model import Array


def t_value(gains: Array) -> float:
    """Mean of [N] gains over its standard error (Student 1908, Biometrika 6:1); 0 when all are 0.

    The same to the last bit in any order. Infinite when all gains are equal and not 0.
    """
    values = [float(gain) for gain in gains]
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2 or mean == 0:
        return 0.0
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    return mean / error if error else math.copysign(math.inf, mean)


def threshold(samples: int) -> float:
    """The t from which on a gain counts: near 1 with many samples, 2 with six, 4 with two.

    A step that was kept by accident costs nothing on average, a step that helps and was dropped does; so this is far
    below the usual 2. With few samples the error itself is uncertain, and chance would pass a fixed limit too often.
    """
    return 1 + 6 / max(samples, 1)


def sign_test(lost: int, won: int) -> float:
    """Two-sided p-value that losses and gains are equally likely; 1 when there are none.

    For right and wrong answers this is McNemar's test, exact with mid-p (Fagerland, Lydersen and Laake 2013, BMC
    Medical Research Methodology 13:91).
    """
    total, smaller = lost + won, min(lost, won)
    if total == 0:
        return 1.0
    ways = 2 * sum(math.comb(total, k) for k in range(smaller + 1)) - math.comb(total, smaller)
    return min(1.0, float(ways / 2**total))
