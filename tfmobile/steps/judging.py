"""What a search judges candidates by: the samples, the output, and the allowances in the words of the task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfmobile.artifacts import Allowance
from tfmobile.errors import UsageError
from tfmobile.plan import Plan
from tfmobile.steps.context import Context, data_key
from tfmobile.steps.model import Prepared

if TYPE_CHECKING:
    from tfmobile.datasets import Dataset
    from tfmobile.search.answers import Judging


@dataclass(frozen=True)
class Judged:
    """``path``: where the samples are, ``total`` of them; ``key`` identifies them. ``output_of``: .tflite → the key of
    its judged output. ``repeatable``: whether an answer may be stored (the user's own metric may change)."""

    path: str
    total: int
    key: Any
    judging: Judging
    allowances: tuple[Allowance, ...]
    output_of: Callable[[bytes], str]
    repeatable: bool


def judging(context: Context, prepared: Prepared) -> Judged:
    """Decide it from the plan, the first sample and the outputs. Raises UsageError where nothing can be measured."""
    from tfmobile.datasets import open_dataset
    from tfmobile.datasets.subset import not_repeatable

    plan = context.plan
    path = plan.data.data or plan.calibration_path
    assert path is not None, "checked before any work was done"
    dataset = open_dataset(plan.data_spec(path))
    if not dataset.concurrent:
        raise not_repeatable(path)
    how = _how(plan, dataset, prepared.original)
    output_of = functools.partial(_output, prepared.original, plan, dataset)
    return Judged(
        path,
        len(dataset),
        data_key(plan, path),
        how,
        tuple(_allowances(plan, how, prepared, path)),
        output_of,
        repeatable=plan.evaluate.metric is None,
    )


def _how(plan: Plan, dataset: Dataset, original: bytes) -> Judging:
    from tfmobile.search.answers import Judging

    options = plan.evaluate
    found, names = _judgement(plan, dataset, original, original)
    sign = 1 if plan.search.better == "higher" else -1
    if found.kind in ("regression", "metric"):
        return Judging(found.kind, names[found.primary] if found.primary >= 0 else "", True, options.metric or "", sign)
    if found.primary < 0:
        raise _no_answers()
    return Judging("classes", names[found.primary], labelled=found.kind in ("classification", "binary"))


def _output(original: bytes, plan: Plan, dataset: Dataset, content: bytes) -> str:
    found, names = _judgement(plan, dataset, original, content)
    return names[found.primary] if found.primary >= 0 else ""


def _judgement(plan: Plan, dataset: Dataset, original: bytes, content: bytes) -> tuple[Any, tuple[str, ...]]:
    """How evaluation would judge, and the names of the outputs of ``content`` in the order of the original's."""
    from tfmobile.evaluation.tasks import check_options, judgement
    from tfmobile.runtime import describe

    options = plan.evaluate
    check_options(options.task, options.metric)
    outputs = [describe(one).outputs for one in (original, content)]
    names = ("original", "candidate")
    classes = len(dataset.class_names)
    found = judgement(options.task, options.metric, dataset.read(0), outputs, names, classes)
    return found, found.orders[1]


def _allowances(plan: Plan, how: Judging, prepared: Prepared, path: str) -> list[Allowance]:
    from tfmobile.search.answers import AGREEMENT, EXPECTED, TOP1

    options, found = plan.search, []
    if options.max_drop is not None:
        measure = _measure(how, plan, prepared, path)
        points = how.kind == "classes"
        most = options.max_drop / 100 if points else options.max_drop
        asked = f"--max-drop {options.max_drop:g}"
        found.append(Allowance(measure, most, asked))
        if measure == TOP1 and _probable(plan, how, prepared, path):
            # Some hundred labels know half a point only by chance; how sure the original is says more.
            found.append(Allowance(EXPECTED, most, asked, if_unproven=True))
    if options.min_agreement is not None:
        if how.kind != "classes":
            raise _no_answers()
        found.append(Allowance(AGREEMENT, 1 - options.min_agreement, f"--min-agreement {options.min_agreement:g}"))
    return found


def _measure(how: Judging, plan: Plan, prepared: Prepared, path: str) -> str:
    from tfmobile.search.answers import EXPECTED, MAE, TOP1

    if how.kind == "metric":
        return plan.evaluate.metric or ""
    if how.kind == "regression":
        return MAE
    if how.labelled:
        return TOP1
    if not _probable(plan, how, prepared, path):
        raise UsageError(
            "Without labels, what a model loses is known only from probabilities, and its outputs are none.",
            why=f"The output '{how.output}' has values outside 0 to 1.",
            fixes=["Give labels with the data.", "--min-agreement 0.98 asks for equal answers instead."],
        )
    return EXPECTED


def _probable(plan: Plan, how: Judging, prepared: Prepared, path: str) -> bool:
    """Whether the original's scores on the first samples look like probabilities."""
    from tfmobile import runtime
    from tfmobile.evaluation.judging import looks_like_probabilities
    from tfmobile.steps.context import VERIFY_SAMPLES, some_feeds

    feeds = some_feeds(plan, path, runtime.describe(prepared.original).inputs, VERIFY_SAMPLES)
    outputs = runtime.run(prepared.original, feeds)
    return all(looks_like_probabilities(found[how.output].ravel()) for found in outputs)


def _no_answers() -> UsageError:
    return UsageError(
        "The model's outputs are no classes, so there are no answers to compare.",
        why="No output has one score a class, and the data has no targets for a metric.",
        fixes=["Give your own metric and what is better: --metric module:callable --better higher --max-drop AMOUNT"],
    )
