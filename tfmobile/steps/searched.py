"""The search as a step: candidates are made by the line's own steps and judged on all cores; each trial is stored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfmobile.artifacts import Latency, NamedModel, Search, StepFact, TensorFact
from tfmobile.codec import decode, encode
from tfmobile.errors import DataError, UsageError
from tfmobile.graph.model import Array
from tfmobile.plan import Plan
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps import measured
from tfmobile.steps.by_recipe import Quantized
from tfmobile.steps.context import Context, data_key
from tfmobile.steps.judging import Judged, judging
from tfmobile.steps.model import Prepared
from tfmobile.steps.ranked import rank
from tfmobile.targets import Target
from tfmobile.workspace import Product, sha256, write_file

Make = Callable[[Context, Recipe], Quantized]
"""The line's way from a recipe to a .tflite."""
TIMING_S, LONGEST_TIMING_S = 2.0, 30.0
"""Seconds of timing for each candidate, and for all together."""
CANDIDATES = "candidates"


def search(
    context: Context,
    recipe: Recipe,
    target: Target,
    prepared: Prepared,
    inputs: tuple[TensorFact, ...],
    make: Make,
    *,
    mixing: bool,
    timed: bool,
) -> tuple[Recipe, Search]:
    """The recipe of the best model within the budget, and what else was tried. Writes every recipe to ``candidates/``.

    ``recipe``: where the search begins. ``mixing`` False: layers cannot have a precision of their own. ``timed`` False:
    latency is not measured, and the smallest counts as the fastest.
    """
    how = judging(context, prepared)
    before = len(context.workspace.steps)
    identity = _identity(context, recipe, target, prepared, how, mixing, timed)

    def compute() -> Product:
        found = _Run(context, prepared, inputs, make, how, timed).run(recipe, target, mixing)
        return {}, {"search": encode(found.search), "recipe": encode(found.recipe)}

    step = context.step("search", identity, compute, cache=how.repeatable)
    if step.reused and step.facts["search"]["ended"] == "time":  # it goes on where the time ended
        step = context.step("search", identity, compute, cache=False)
    found = decode(Search, step.facts["search"])
    _fold(context, before, found)
    _write(context, found)
    if context.plan.data.data:
        context.note("The search has seen the samples of --data: on others the chosen model may be a little worse.")
    if found.ended == "time":
        context.note(found.notes[0])
    return decode(Recipe, step.facts["recipe"]), found


class _Run:
    """One search that is really done."""

    def __init__(
        self,
        context: Context,
        prepared: Prepared,
        inputs: tuple[TensorFact, ...],
        make: Make,
        how: Judged,
        timed: bool,
    ) -> None:
        self._context, self._prepared, self._inputs = context, prepared, inputs
        self._make, self._how, self._timed = make, how, timed
        # What is said of a candidate must not be said of the result.
        self._quiet = dataclasses.replace(context, notes=[])
        self._ranking = dataclasses.replace(context, notes=[])

    def run(self, recipe: Recipe, target: Target, mixing: bool) -> Any:
        from tfmobile.quantization import recipe as named
        from tfmobile.search.engine import LocalEngine
        from tfmobile.search.judge import Judge
        from tfmobile.search.searching import Task, Tools
        from tfmobile.search.searching import search as run_search
        from tfmobile.search.space import LAST, runs, space

        context, how = self._context, self._how
        options, io = context.plan.search, context.plan.optimize.io
        last = named(LAST)
        with LocalEngine(context.plan.evaluate.workers) as engine:
            judge = Judge(
                engine,
                context.plan.data_spec(how.path),
                how.total,
                how.judging,
                how.allowances,
                self._prepared.original,
                workers=engine.workers,
                place=self._place,
                memo=self._memo,
                key=how.key,
            )
            task = Task(
                allowances=how.allowances,
                objective=options.objective,
                space=space(recipe, target, options.objective, io, mixing=mixing, width=2),
                last=last if runs(target, last) and io in ("", *last.io_allowed) else None,
                time_budget_s=options.time_budget,
                judged_on=how.path,
                fitted_on=context.plan.calibration_path or "",
                samples=how.total,
            )
            tools = Tools(
                make=self._made,
                judge=judge,
                rank=lambda tried: rank(self._ranking, tried.recipe, self._prepared, self._inputs, self._make),
                measure=self._time if self._timed else None,
                original=self._prepared.original,
                progress=context.progress,
            )
            found = run_search(task, tools)
        notes = (*found.search.notes, *self._ranking.notes)
        return dataclasses.replace(found, search=dataclasses.replace(found.search, notes=notes))

    def _made(self, recipe: Recipe) -> Any:
        from tfmobile.search.searching import Made

        found = self._make(self._quiet, recipe)
        return Made(found.content, kept(recipe, found), self._how.output_of(found.content))

    def _place(self, content: bytes) -> Path:
        path = self._context.workspace.scratch("models", "search") / f"{sha256(content)}.tflite"
        if not path.exists():
            write_file(path, content)
        return path

    def _memo(self, name: str, options: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        def product() -> Product:
            return {"answers.json": json.dumps(compute()).encode()}, {}

        return json.loads(self._context.step(name, options, product, cache=self._how.repeatable).blobs["answers.json"])

    def _time(self, models: Sequence[NamedModel]) -> Latency:
        plan = self._context.plan
        seconds = min(TIMING_S * len(models), LONGEST_TIMING_S)
        one = dataclasses.replace(
            plan.benchmark,
            threads=plan.benchmark.threads[:1],
            xnnpack="off" if plan.benchmark.xnnpack == "off" else "on",
            latency_budget=seconds,
        )
        return measured.run_benchmark(models, self._feeds(), None, one, self._context.progress)

    def _feeds(self) -> list[dict[str, Array]]:
        from tfmobile.steps.context import VERIFY_SAMPLES, some_feeds

        return some_feeds(self._context.plan, self._how.path, self._inputs, VERIFY_SAMPLES)


def kept(recipe: Recipe, made: Quantized) -> Recipe:
    """The recipe without the improvements that did not help: the same result with less work, and without a gate."""
    if made.improvement is None or not recipe.improve:
        return recipe
    names = tuple(step.name for step in made.improvement.steps if step.kept)
    return dataclasses.replace(recipe, improve=names, gate="none")


def check(plan: Plan) -> None:
    """Refuse what no search can judge, before any work is done."""
    if not plan.search.wanted:
        return
    if (plan.data.data or plan.calibration_path) in (None, "random"):
        raise DataError(
            "A search needs samples to judge candidates by.",
            why="Neither --data nor --calibrate-with names any.",
            fixes=["--data DIR with labels, or --calibrate-with DIR without."],
        )
    if plan.search.max_drop is not None and plan.evaluate.metric and not plan.search.better:
        raise UsageError(
            f"Whether higher values of {plan.evaluate.metric} are better is not known.",
            why="--max-drop is about the metric, when there is one.",
            fixes=["--better higher", "--better lower"],
        )


def _identity(
    context: Context, recipe: Recipe, target: Target, prepared: Prepared, how: Judged, mixing: bool, timed: bool
) -> dict[str, Any]:
    plan = context.plan
    return {
        "model": prepared.key,
        "original": sha256(prepared.original),
        "recipe": encode(recipe),
        "target": target.name,
        "io": plan.optimize.io,
        "options": encode(plan.search),
        "judged_on": how.key,
        "fitted_on": data_key(plan, plan.calibration_path),
        "judging": encode(how.judging),
        "mixing": mixing,
        "timed": encode(plan.benchmark) if timed else None,
    }


def _fold(context: Context, before: int, found: Search) -> None:
    """One line in the list of steps instead of one a trial: the table of trials tells them."""
    steps = context.workspace.steps
    inner, outer = steps[before:-1], steps[-1]
    facts = {
        "chosen": found.chosen,
        "trials": len(found.trials),
        "ended": found.ended,
        "steps": len(inner),
        "steps_reused": sum(step.reused for step in inner),
    }
    steps[before:] = [StepFact(outer.name, outer.seconds, outer.reused, outer.options, facts)]


def _write(context: Context, found: Search) -> None:
    folder = context.workspace.out / CANDIDATES
    names = {f"{trial.name}.toml" for trial in found.trials}
    for trial in found.trials:
        write_file(folder / f"{trial.name}.toml", trial.recipe.encode())
    for stale in folder.glob("*.toml"):
        if stale.name not in names:
            stale.unlink(missing_ok=True)
