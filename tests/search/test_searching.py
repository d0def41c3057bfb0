"""The search from the first candidate to the choice, with models that are only pretended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import pytest

from tfmobile.artifacts import Allowance, Interval, Loss
from tfmobile.errors import UnsupportedError, VerificationError
from tfmobile.quantization import Recipe, recipe
from tfmobile.search.judge import Judge, Judged
from tfmobile.search.searching import Made, Outcome, Task, Tools, search
from tfmobile.search.strategy import Space

ALLOWED = Allowance("top-1", 0.01, "--max-drop 1")
SPACE = Space((recipe("int8-fast"), recipe("int8")), ((recipe("float16"),), (recipe("float32"),)), mixing=False)
TASK = Task((ALLOWED,), "size", SPACE, recipe("float32"), 600.0, "val/", "calibration/", 500)
SIZES = {"int8-fast": 250, "int8": 250, "weight-int4": 125, "float16": 500, "float32": 1000}


class PretendedJudge:
    """Knows what every candidate loses; the bound is one point more."""

    def __init__(self, losses: dict[str, float]) -> None:
        self._losses = losses

    def original(self, count: int) -> list[Any]:
        return []

    def judge(self, name: str, content: bytes, output: str) -> Judged:
        if name not in self._losses:
            raise VerificationError(f"{name} crashed the runtime with signal SIGSEGV.")
        value = self._losses[name]
        loss = Loss("top-1", Interval(value, value - 0.01, value + 0.01), value + 0.01, None)
        verdict = "within" if value <= ALLOWED.most else "beyond"
        return Judged(verdict, 500, (loss,), Interval(0.9, 0.88, 0.92), (value - ALLOWED.most) / ALLOWED.most)


def found(losses: dict[str, float], task: Task = TASK, *, clock: Callable[[], float] = lambda: 0.0) -> Outcome:
    def make(one: Recipe) -> Made:
        return Made(bytes(SIZES[one.name]), one, "scores")

    judge = cast(Judge, PretendedJudge(losses))
    return search(task, Tools(make, judge, lambda tried: (), None, b"original", clock=clock))


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {one.name: one.verdict for one in outcome.search.trials}


def test_the_first_that_is_within_is_taken_and_its_recipe_given_back() -> None:
    outcome = found({"int8-fast": 0.03, "int8": 0.004})
    assert outcome.recipe == recipe("int8")
    assert outcome.search.ended == "found"
    assert outcome.search.why.startswith("int8 is the only one of 2 candidates within the budget")
    assert verdicts(outcome) == {"int8-fast": "beyond", "int8": "within"}


def test_a_candidate_that_crashes_is_a_failed_candidate_with_its_reason() -> None:
    outcome = found({"int8": 0.004})
    assert verdicts(outcome) == {"int8-fast": "failed", "int8": "within"}
    assert "SIGSEGV" in outcome.search.trials[0].reason


def test_when_the_time_ends_the_last_resort_is_tried_and_that_is_said() -> None:
    ticks = iter(range(0, 10_000, 200))
    losses = {"int8-fast": 0.03, "int8": 0.03, "float32": 0.0}
    outcome = found(losses, clock=lambda: float(next(ticks)))
    assert verdicts(outcome) == {"int8-fast": "beyond", "int8": "beyond", "float32": "within"}
    assert outcome.search.ended == "time"
    assert "ended; this is the best found so far" in outcome.search.notes[0]


def test_nothing_within_is_an_error_that_names_the_nearest() -> None:
    task = dataclasses.replace(TASK, last=None, space=Space(SPACE.bases, (), mixing=False))
    with pytest.raises(UnsupportedError, match="None of 2 candidates is within") as caught:
        found({"int8-fast": 0.05, "int8": 0.02}, task)
    assert "The nearest is int8: It loses 2 points" in caught.value.why


def test_4_bit_weights_are_taken_only_when_the_samples_prove_it() -> None:
    first = (*SPACE.bases, recipe("weight-int4"))
    task = dataclasses.replace(TASK, space=Space(first, (), mixing=False, first=3))
    assert found({"int8-fast": 0.0, "int8": 0.0, "weight-int4": -0.02}, task).search.chosen == "weight-int4"
    doubtful = found({"int8-fast": 0.0, "int8": 0.0, "weight-int4": 0.005}, task)
    assert doubtful.recipe.weights == "int8"
    assert "only when the samples prove" in doubtful.search.trials[2].reason
