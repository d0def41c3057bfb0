"""Whether a candidate loses too much: paired differences, their intervals, and when enough samples were seen.

A candidate is within an allowance when its estimated loss is. Whether the data *show* that is another question, which
the upper bound answers. On large sets samples are looked at in growing parts, and a candidate that is certainly beyond
ends early: each look may err with an equal share of the 5 % (Bonferroni's bound, conservative for looks at growing
parts of the same samples).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

import numpy as np

from tfmobile.artifacts import Interval, Loss
from tfmobile.evaluation.statistics import Z95, fraction_interval, paired_difference, t_quantile
from tfmobile.graph.model import Array

Kind = Literal["paired", "fraction", "bounded", "free"]
"""``paired``: right or wrong twice (−1, 0, 1); ``fraction``: 0 or 1; ``bounded``: 0 to 1; ``free``: any number."""

ERROR = 0.05
FIRST_LOOK, ENOUGH = 128, 1024
"""Samples of the first look; only from ``ENOUGH`` on may a candidate be accepted before all were seen."""


def looks(total: int) -> tuple[int, ...]:
    """After how many of ``total`` samples a decision is tried: 128, 256, 512, …, all."""
    found = []
    count = FIRST_LOOK
    while count < total:
        found.append(count)
        count *= 2
    return (*found, total)


def loss_interval(losses: Array, before: Array, kind: Kind, z: float = Z95) -> Interval:
    """Mean of ``losses`` [N] with its two-sided interval; ``before`` [N]: whether the reference was right (paired).

    Newcombe's method 10 for paired, Wilson's for fractions, else Student's t.
    """
    if len(losses) == 0:
        return Interval(math.nan, math.nan, math.nan)
    if kind == "fraction":
        return fraction_interval(int(losses.sum()), len(losses), z)
    if kind == "paired":
        return _paired(losses, before, z)
    mean = float(np.mean(losses))
    if len(losses) == 1:
        return Interval(mean, -math.inf, math.inf)
    wider = t_quantile(len(losses) - 1) / Z95
    half = z * wider * float(np.std(losses, ddof=1)) / math.sqrt(len(losses))
    low, high = mean - half, mean + half
    if kind == "bounded":
        return Interval(mean, max(0.0, low), min(1.0, max(high, _unseen(losses, z))))
    return Interval(mean, low, high)


def _paired(losses: Array, before: Array, z: float) -> Interval:
    right = before.astype(bool)
    lost, won = int((losses > 0).sum()), int((losses < 0).sum())
    both, neither = int(right.sum()) - lost, int((~right).sum()) - won
    change = paired_difference(both, lost, won, neither, z)
    return Interval(-change.value, -change.high, -change.low)


def _unseen(losses: Array, z: float) -> float:
    """Where nothing was lost on any sample, the loss may still be up to this: (1 − p)^N = error."""
    if losses.any():
        return 0.0
    error = 1 - NormalDist().cdf(z)
    return float(1 - error ** (1 / len(losses)))


def one_sided(error: float) -> float:
    """The normal quantile that a one-sided bound with this error uses."""
    return NormalDist().inv_cdf(1 - error)


def decide(losses: Array, before: Array, kind: Kind, most: float, total: int) -> Literal["within", "beyond", "open"]:
    """The verdict after ``len(losses)`` of ``total`` samples; ``open`` asks for the next look."""
    all_looks = looks(total)
    mean = float(np.mean(losses))
    if len(losses) >= total:
        return "within" if mean <= most else "beyond"
    found = loss_interval(losses, before, kind, one_sided(ERROR / len(all_looks)))
    if found.low > most:
        return "beyond"
    return "within" if found.high <= most and len(losses) >= ENOUGH else "open"


def conclude(measure: str, losses: Array, before: Array, kind: Kind, most: float, total: int) -> Loss:
    """The loss with its interval, its upper bound, and how many samples would show that it is within."""
    accepting = [look for look in looks(total) if look >= ENOUGH or look == total]
    error = ERROR / len(accepting)
    bound = loss_interval(losses, before, kind, one_sided(error)).high
    value = loss_interval(losses, before, kind)
    return Loss(measure, value, bound, _needed(losses, most, bound, error))


def _needed(losses: Array, most: float, bound: float, error: float) -> int | None:
    mean = float(np.mean(losses)) if len(losses) else math.nan
    if bound <= most or not mean < most:
        return None
    spread = float(np.std(losses))
    if spread == 0:
        return math.ceil(math.log(error) / math.log1p(-min(most, 0.999)))
    return max(math.ceil((one_sided(error) * spread / (most - mean)) ** 2), len(losses) + 1)
