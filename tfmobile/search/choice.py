"""Which of the candidates that are within is taken, and which ones no other candidate beats."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tfmobile.artifacts import SearchTrial

SAME_SPEED, SAME_SIZE, CLEARLY_LARGER = 0.03, 0.01, 1.1
"""Relative differences of speed and size that do not count, and the ratio of sizes that does."""


def choose(trials: Sequence[SearchTrial], objective: str) -> SearchTrial | None:
    """The fastest or smallest within. Of those that measurement cannot tell apart, one that is not clearly larger, with
    the fewest layers of higher precision, and among these the one closest to the original."""
    within = [one for one in trials if one.verdict == "within"]
    if not within:
        return None
    timed = [one for one in within if one.speed is not None]
    if objective == "latency" and timed:
        best = max(timed, key=_speed)
        alike = [one for one in timed if _as_fast(one, best)]
    else:
        smallest = min(one.size_bytes or math.inf for one in within)
        alike = [one for one in within if (one.size_bytes or math.inf) <= smallest * (1 + SAME_SIZE)]
    least = min(one.size_bytes or 0 for one in alike)
    return min(
        alike, key=lambda one: ((one.size_bytes or 0) > CLEARLY_LARGER * least, len(one.higher), *_distance(one))
    )


def mark_best(trials: Sequence[SearchTrial], objective: str) -> tuple[SearchTrial, ...]:
    """With ``best`` set on those that no other one beats in both cost and loss."""
    by_speed = objective == "latency" and any(one.speed is not None for one in trials)
    points = [None if one.verdict == "failed" or not one.losses else _point(one, by_speed) for one in trials]
    return tuple(
        dataclasses.replace(one, best=point is not None and not any(_beats(other, point) for other in points if other))
        for one, point in zip(trials, points, strict=True)
    )


def _speed(trial: SearchTrial) -> float:
    return trial.speed.value if trial.speed is not None else 0.0


def _as_fast(one: SearchTrial, best: SearchTrial) -> bool:
    assert one.speed is not None
    assert best.speed is not None
    return one.speed.value >= best.speed.value * (1 - SAME_SPEED) or one.speed.high >= best.speed.low


def _distance(trial: SearchTrial) -> tuple[float, float]:
    """How far from the original: by answers, then by loss."""
    apart = 1 - trial.agreement.value if trial.agreement is not None else 0.0
    return apart, max((loss.value.value for loss in trial.losses), default=0.0)


def _point(trial: SearchTrial, by_speed: bool) -> tuple[float, float]:
    cost = -_speed(trial) if by_speed else float(trial.size_bytes or 0)
    return cost, max(loss.value.value for loss in trial.losses)


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one != other
