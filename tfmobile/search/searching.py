"""The search: what the strategy proposes is made, judged and timed, until something is within the budget."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from tfmobile.artifacts import Allowance, Latency, NamedModel, Search, SearchTrial
from tfmobile.errors import TfmobileError, UnsupportedError
from tfmobile.progress import Progress, silent
from tfmobile.quantization.recipe import Recipe
from tfmobile.search import wording
from tfmobile.search.choice import choose, mark_best
from tfmobile.search.judge import Judge, Judged, proven
from tfmobile.search.recipe_text import recipe_text
from tfmobile.search.strategy import Candidate, Rank, Space, Tried, propose

STAGE = "search"
ORIGINAL = "original"
TIMED_MOST = 12
"""More models at a time would not all be timed well; those within, and the best of the others, come first."""


@dataclass(frozen=True)
class Made:
    """A candidate's .tflite, the recipe to build on, and the key of its judged output."""

    content: bytes
    recipe: Recipe
    output: str


@dataclass(frozen=True)
class Tools:
    """What the search needs done.

    ``make``: a recipe → its .tflite; called by one thread at a time. ``rank``: see ``strategy``. ``measure``: times
    models against the first one; None where nothing is to be timed.
    """

    make: Callable[[Recipe], Made]
    judge: Judge
    rank: Rank
    measure: Callable[[Sequence[NamedModel]], Latency] | None
    original: bytes
    progress: Progress = silent
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Task:
    """What is looked for. ``last``: what is tried when the time ends and nothing is within."""

    allowances: tuple[Allowance, ...]
    objective: Literal["latency", "size"]
    space: Space
    last: Recipe | None
    time_budget_s: float
    judged_on: str
    fitted_on: str
    samples: int


@dataclass
class _Trial:
    """A candidate on its way."""

    candidate: Candidate
    recipe: Recipe
    content: bytes | None = None
    judged: Judged | None = None
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The search, and the recipe that it chose."""

    search: Search
    recipe: Recipe


def search(task: Task, tools: Tools) -> Outcome:
    """Try candidates in the strategy's order and choose.

    Raises UnsupportedError when nothing stays within, not even the last resort, and DataError for bad samples.
    """
    return _Search(task, tools).run()


class _Search:
    def __init__(self, task: Task, tools: Tools) -> None:
        self._task, self._tools = task, tools
        self._trials: list[_Trial] = []
        self._making = threading.Lock()
        self._start = tools.clock()

    def run(self) -> Outcome:
        self._tools.judge.original(1)  # bad samples are everyone's problem, not a candidate's
        ended = self._try_all()
        if not self._within() and self._task.last is not None and not self._known(self._task.last):
            self._try((Candidate(self._task.last, self._task.last.summary),))
        found, notes = self._timed()
        chosen = choose(found, self._task.objective)
        if chosen is None:
            raise self._nothing(found)
        trials = mark_best(found, self._task.objective)
        recipe = next(one.candidate.recipe for one in self._trials if one.candidate.name == chosen.name)
        return Outcome(self._result(chosen, trials, ended, notes), recipe)

    def _try_all(self) -> Literal["found", "exhausted", "time"]:
        proposals = propose(self._task.space, self._tools.rank)
        try:
            batch = next(proposals)
            while True:
                if self._late():
                    return "time"
                batch = proposals.send(self._try(batch))
        except StopIteration:
            return "found" if self._within() else "exhausted"

    def _late(self) -> bool:
        return bool(self._trials) and self._tools.clock() - self._start > self._task.time_budget_s

    def _known(self, recipe: Recipe) -> bool:
        return any(one.candidate.name == recipe.name for one in self._trials)

    def _within(self) -> bool:
        return any(one.judged is not None and one.judged.verdict == "within" for one in self._trials)

    def _try(self, batch: Sequence[Candidate]) -> tuple[Tried, ...]:
        trials = [_Trial(candidate, candidate.recipe) for candidate in batch]
        with ThreadPoolExecutor(max_workers=len(trials)) as threads:
            list(threads.map(self._run, trials))
        self._trials += trials
        self._tools.progress(STAGE, len(self._trials), None)
        return tuple(_tried(one) for one in trials)

    def _run(self, trial: _Trial) -> None:
        started = self._tools.clock()
        name = trial.candidate.name
        try:
            with self._making:
                made = self._tools.make(trial.candidate.recipe)
            trial.content, trial.recipe = made.content, made.recipe
            trial.judged = self._strict(trial.candidate, self._tools.judge.judge(name, made.content, made.output))
        except TfmobileError as error:
            trial.error = " ".join([error.what, error.why]).strip()
        except Exception as error:  # whatever fails in one candidate must not end the search
            trial.error = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        trial.seconds = self._tools.clock() - started

    def _strict(self, candidate: Candidate, judged: Judged) -> Judged:
        """Not within, where that would have to be proven and is not."""
        if not candidate.needs_proof or proven(judged.losses, self._task.allowances):
            return judged
        return dataclasses.replace(judged, verdict="beyond")

    def _timed(self) -> tuple[list[SearchTrial], tuple[str, ...]]:
        """All trials as facts, with their latency where it was measured."""
        found = [self._fact(one) for one in self._trials]
        models = [NamedModel(one.candidate.name, one.content) for one in self._for_timing() if one.content is not None]
        if self._tools.measure is None or not models:
            return found, ("Candidates were not timed: the smallest counts as the fastest.",) if models else ()
        try:
            latency = self._tools.measure([NamedModel(ORIGINAL, self._tools.original), *models])
        except TfmobileError as error:
            return found, (f"Candidates could not be timed ({error.what}): the smallest counts as the fastest.",)
        return [_with_latency(one, latency) for one in found], latency.notes

    def _for_timing(self) -> list[_Trial]:
        judged = [one for one in self._trials if one.judged is not None]
        return sorted(judged, key=_excess)[:TIMED_MOST]

    def _fact(self, trial: _Trial) -> SearchTrial:
        recipe, judged = trial.candidate.recipe, trial.judged
        base = SearchTrial(
            name=recipe.name,
            recipe=recipe_text(recipe),
            verdict="failed",
            reason=trial.error or "It was not judged.",
            size_bytes=len(trial.content) if trial.content is not None else None,
            higher=trial.candidate.higher,
            seconds=trial.seconds,
        )
        if judged is None:
            return base
        return dataclasses.replace(
            base,
            verdict=judged.verdict,
            reason=wording.judged_reason(judged, trial.candidate.needs_proof),
            samples=judged.samples,
            losses=judged.losses,
            agreement=judged.agreement,
        )

    def _result(
        self,
        chosen: SearchTrial,
        trials: Sequence[SearchTrial],
        ended: Literal["found", "exhausted", "time"],
        notes: tuple[str, ...],
    ) -> Search:
        task = self._task
        late = f"The time for the search ({task.time_budget_s:.0f} s) ended; this is the best found so far."
        return Search(
            allowances=task.allowances,
            objective=task.objective,
            trials=tuple(trials),
            chosen=chosen.name,
            why=wording.why_chosen(chosen, trials, task.objective, task.allowances),
            shown=proven(chosen.losses, task.allowances),
            judged_on=task.judged_on,
            fitted_on=task.fitted_on,
            samples=task.samples,
            ended=ended,
            seconds=self._tools.clock() - self._start,
            notes=((late,) if ended == "time" else ()) + notes,
        )

    def _nothing(self, trials: Sequence[SearchTrial]) -> UnsupportedError:
        judged = [one for one in trials if one.losses]
        rule = wording.rule(self._task.allowances)
        nearest = ""
        if judged:
            best = min(judged, key=lambda one: max(loss.value.value for loss in one.losses))
            nearest = f"The nearest is {best.name}: {best.reason} "
        failed = "; ".join(f"{one.name}: {one.reason}" for one in trials if one.verdict == "failed")
        return UnsupportedError(
            f"None of {len(trials)} candidates is within the budget ({rule}).",
            why=f"{nearest}{'Failed: ' + failed if failed else ''}".strip(),
            fixes=[
                "Allow more: a larger --max-drop, or a smaller --min-agreement.",
                "Search longer: --time-budget 30m",
            ],
        )


def _tried(trial: _Trial) -> Tried:
    if trial.judged is None:
        return Tried(trial.candidate, "failed", math.inf, trial.recipe)
    return Tried(trial.candidate, trial.judged.verdict, trial.judged.excess, trial.recipe)


def _excess(trial: _Trial) -> float:
    return trial.judged.excess if trial.judged is not None else math.inf


def _with_latency(trial: SearchTrial, latency: Latency) -> SearchTrial:
    ratio = next((one.value for one in latency.ratios if one.name == trial.name), None)
    row = next((one for one in latency.rows if one.name == trial.name), None)
    if ratio is None or row is None:
        return trial
    return dataclasses.replace(trial, speed=ratio, latency_ms=row.p50_ms)
