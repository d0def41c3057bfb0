"""What is measured, decided from the labels and the shapes of the outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tfmobile.artifacts import Sample, TensorFact
from tfmobile.errors import DataError, UsageError, VerificationError
from tfmobile.registry import unknown

TASKS = ("auto", "classification", "regression", "outputs")


@dataclass(frozen=True)
class Judgement:
    """How workers judge samples. ``kind`` is classification, binary, regression, metric or outputs.

    ``primary`` is the place of the judged output (-1: none) and ``classes`` its number of scores. ``orders`` holds, for
    each model, the names of its outputs in the order of the reference's.
    """

    kind: str
    primary: int
    classes: int
    orders: tuple[tuple[str, ...], ...]
    note: str = ""


def check_options(task: str, metric: str | None) -> None:
    """Raise for a task that is not known, or one that excludes the metric."""
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    if metric and task not in ("auto",):
        raise UsageError(
            f"A metric of one's own and the task '{task}' exclude each other.",
            fixes=["Leave --task out, or leave --metric out."],
        )


def judgement(
    task: str,
    metric: str | None,
    first: Sample,
    outputs: Sequence[Sequence[TensorFact]],
    names: Sequence[str],
    class_count: int,
) -> Judgement:
    """How to judge, from the first sample's label and the outputs of every model (``names``, the reference first).

    ``class_count`` is the number of known class names. Raises DataError when labels and outputs do not fit the task,
    and VerificationError when the models do not have the same outputs.
    """
    orders = _orders(outputs, names)
    reference = outputs[0]
    primary = _primary(reference, class_count)
    size = _elements(reference[primary]) if primary >= 0 else 0
    scores = size if primary >= 0 else 0
    kind = _kind(task, metric, first, scores)
    if kind == "regression":
        primary = _regression_output(reference, first)
    several = len(reference) > 1 and kind in ("classification", "binary", "regression")
    note = f"Of {len(reference)} outputs, '{reference[primary].name}' was judged." if several else ""
    return Judgement(kind, primary, scores, orders, note)


def _kind(task: str, metric: str | None, first: Sample, scores: int) -> str:
    if metric:
        return "metric"
    label = first.label
    if task == "outputs" or (task == "auto" and label is None):
        return "outputs"
    if label is None:
        raise DataError(
            f"The data has no labels, which {task} needs.",
            why=f"The first sample, '{first.name}', has none.",
            fixes=["Add labels.csv, class folders or an array y.", "Leave --task out to compare outputs only."],
        )
    if task == "regression" or (task == "auto" and not isinstance(label, int)):
        return "regression"
    if scores == 0:
        raise DataError(
            "The labels are class numbers, but no output of the model has one score a class.",
            fixes=["Measure with your own function: --metric module:callable", "Compare outputs only: --task outputs"],
        )
    return "binary" if scores == 1 else "classification"


def _orders(outputs: Sequence[Sequence[TensorFact]], names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The names of every model's outputs in the reference's order: by name where the names agree, else as they come."""
    wanted = [fact.name for fact in outputs[0]]
    orders = []
    for facts, name in zip(outputs, names, strict=True):
        by_name = {fact.name: fact for fact in facts}
        order = [by_name[key] for key in wanted] if set(by_name) == set(wanted) else list(facts)
        if [_elements(fact) for fact in order] != [_elements(fact) for fact in outputs[0]]:
            raise VerificationError(
                f"'{name}' and '{names[0]}' do not have the same outputs.",
                why=f"{_spell(facts)} against {_spell(outputs[0])}.",
                fixes=["Compare models with equal outputs, or evaluate each by itself."],
            )
        orders.append(tuple(fact.name for fact in order))
    return tuple(orders)


def _spell(facts: Sequence[TensorFact]) -> str:
    return ", ".join(f"{fact.name} {list(fact.shape)}" for fact in facts)


def _elements(fact: TensorFact) -> int:
    return math.prod(max(size, 1) for size in fact.shape)


def _primary(facts: Sequence[TensorFact], class_count: int) -> int:
    """The output with one score a class: of the known number of classes, else the first of several scores, else the
    first single value."""
    flat = [index for index, fact in enumerate(facts) if sum(size > 1 for size in fact.shape) == 1]
    fitting = [index for index in flat if _elements(facts[index]) == class_count]
    single = [index for index, fact in enumerate(facts) if _elements(fact) == 1]
    return next(iter([*fitting, *flat, *single]), -1)


def _regression_output(facts: Sequence[TensorFact], first: Sample) -> int:
    size = 1 if isinstance(first.label, int) or first.label is None else first.label.size
    for index, fact in enumerate(facts):
        if _elements(fact) == size:
            return index
    raise DataError(
        f"The label of '{first.name}' has {size} values, but no output of the model has that many.",
        why=f"The outputs are: {_spell(facts)}.",
        fixes=["Store targets of the output's shape.", "Measure with your own function: --metric module:callable"],
    )


def check_class_names(names: tuple[str, ...], classes: int, offset: int) -> tuple[str, ...]:
    """The class names by output; raises DataError when their number does not fit the number of scores."""
    numbered = all(name in (str(index), "(not in the data)") for index, name in enumerate(names))
    if not names or len(names) == classes or (numbered and len(names) < classes):
        return names
    if len(names) + offset == classes and offset > 0:
        return ("(not in the data)",) * offset + names
    if len(names) == classes - 1:
        fix = "If output 0 is a background class: --label-offset 1"
    elif len(names) == classes + 1:
        fix = "If the first class is a background class the model does not have: --label-offset -1"
    else:
        fix = "Give --labels FILE with one class name a line, in the order of the model's outputs."
    raise DataError(
        f"The data has {len(names)} classes, but the model has {classes} scores.",
        why="Class numbers could not be matched with scores.",
        fixes=[fix, "Check that the data belongs to this model."],
    )


def label_out_of_range(sample: str, label: int, classes: int) -> DataError:
    """The error for a class number that the model has no score for."""
    fixes = ["Check that the data belongs to this model."]
    if label == classes:
        fixes.insert(0, "If labels are counted from 1: --label-offset -1")
    return DataError(
        f"The label of '{sample}' is {label}, but the model has {classes} scores (0 to {classes - 1}).", fixes=fixes
    )
