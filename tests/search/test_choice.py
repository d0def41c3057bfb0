"""Which candidate is taken: the fastest or smallest, and the closest of those that are alike."""

from __future__ import annotations

import math
from typing import Any, Literal

from tfmobile.artifacts import Interval, Loss, SearchTrial
from tfmobile.search.choice import choose, mark_best


def trial(
    name: str,
    loss: float,
    *,
    speed: float | None = None,
    size: int = 100,
    agreement: float = 0.95,
    verdict: Literal["within", "beyond", "failed"] = "within",
    **more: Any,
) -> SearchTrial:
    return SearchTrial(
        name=name,
        recipe="",
        verdict=verdict,
        reason="",
        size_bytes=size,
        losses=(Loss("top-1", Interval(loss, loss - 0.01, loss + 0.01), loss + 0.01),),
        agreement=Interval(agreement, agreement - 0.02, agreement + 0.02),
        speed=None if speed is None else Interval(speed, speed * 0.99, speed * 1.01),
        **more,
    )


def chosen(trials: list[SearchTrial], objective: str = "latency") -> str:
    found = choose(trials, objective)
    assert found is not None
    return found.name


def test_the_fastest_within() -> None:
    assert (
        chosen([trial("slow", 0, speed=1.1), trial("fast", 0.004, speed=2), trial("off", 1, speed=9, verdict="beyond")])
        == "fast"
    )


def test_of_equally_fast_ones_the_closest_to_the_original() -> None:
    trials = [trial("plain", 0.001, speed=2.00, agreement=0.92), trial("improved", 0.004, speed=1.98, agreement=0.97)]
    assert chosen(trials) == "improved"


def test_the_smallest_when_asked_for_or_when_nothing_was_timed() -> None:
    trials = [trial("large", 0, speed=2, size=300), trial("small", 0, speed=1, size=100)]
    assert chosen(trials, "size") == "small"
    assert chosen([trial("large", 0, size=300), trial("small", 0, size=100)]) == "small"


def test_nothing_within() -> None:
    assert choose([trial("off", 1, verdict="beyond")], "latency") is None


def test_the_best_are_those_that_none_beats_in_both() -> None:
    trials = [
        trial("fast", 0.03, speed=2.2, verdict="beyond"),
        trial("middle", 0.01, speed=2.0),
        trial("beaten", 0.02, speed=1.9),
        trial("exact", 0.0, speed=1.0),
        trial("failed", math.nan, verdict="failed"),
    ]
    assert [one.name for one in mark_best(trials, "latency") if one.best] == ["fast", "middle", "exact"]
