"""``evaluate``: all models on all samples, in worker processes; a sample is decoded once for all models."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np

from tfmobile.artifacts import Comparison, Evaluation, ModelAccuracy, NamedModel
from tfmobile.datasets import Dataset, open_dataset, thumbnail
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError, UsageError
from tfmobile.evaluation import summary
from tfmobile.evaluation.comparison import compare
from tfmobile.evaluation.pool import Pool
from tfmobile.evaluation.records import SampleRecord
from tfmobile.evaluation.tasks import Judgement, check_class_names, check_options, judgement
from tfmobile.progress import Progress, silent

MIN_PER_WORKER = 4
"""A worker with fewer samples costs more to start than it saves."""


def evaluate(
    models: Sequence[NamedModel],
    data: DataSpec,
    *,
    task: str = "auto",
    metric: str | None = None,
    workers: int | None = None,
    timeout_s: float = 120.0,
    progress: Progress = silent,
) -> Evaluation:
    """Accuracy of every model on ``data``; ``models[0]`` is the reference that the others are compared with.

    ``task`` auto: integer labels are classes, float labels regression targets, no labels compare outputs only.
    ``metric`` (``module:callable``) is called as metric(outputs by name, label) for every sample. ``workers`` defaults
    to one a core.
    Raises DataError (data, labels that do not fit), UsageError (options), and VerificationError naming the model that
    crashed, does not load, or gave no answer for ``timeout_s`` seconds.
    """
    check_options(task, metric)
    if not models:
        raise UsageError("No model was given.", fixes=["Name at least one model."])
    start = time.monotonic()
    names = [model.name for model in models]
    dataset = open_dataset(data)
    count = _workers(workers, dataset)
    with Pool(models, data, metric, timeout_s) as pool:
        pool.start(count)
        first = dataset.read(0)
        how = judgement(task, metric, first, pool.outputs(), names, len(dataset.class_names))
        class_names = dataset.class_names
        if how.kind == "classification":
            class_names = check_class_names(class_names, how.classes, data.label_offset)
        records = sorted(pool.run(how, len(dataset), progress))
        targets = pool.targets()
    if how.kind == "binary":
        _check_binary(records)
    accuracies, answers = _accuracies(how, names, records, targets, class_names, data.label_offset)
    return Evaluation(
        task="classification" if how.kind == "binary" else how.kind,
        samples=len(records),
        labelled=first.label is not None,
        models=accuracies,
        comparisons=_comparisons(names, records, how, answers, dataset),
        metric_name=metric or ("MAE" if how.kind == "regression" else None),
        class_names=class_names,
        workers=count,
        seconds=time.monotonic() - start,
        notes=(*dataset.notes, *([how.note] if how.note else []), *summary.notes(records, names, how.kind)),
    )


def _workers(asked: int | None, dataset: Dataset) -> int:
    if asked is not None and asked < 1:
        raise UsageError(f"{asked} workers are not possible.", fixes=["Give --workers 1 or more, or leave it out."])
    if not dataset.concurrent:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(asked or cores, -(-len(dataset) // MIN_PER_WORKER)))


def _check_binary(records: Sequence[SampleRecord]) -> None:
    """Single scores with labels other than 0 and 1 are no classification."""
    odd = next((record for record in records if record.label not in (0, 1)), None)
    if odd is not None:
        raise DataError(
            f"The label of '{odd.name}' is {odd.label}, but the model has a single score.",
            why="A single score tells class 1 from class 0.",
            fixes=["For targets that are amounts: --task regression", "Check --label-offset."],
        )


def _accuracies(
    how: Judgement,
    names: Sequence[str],
    records: Sequence[SampleRecord],
    targets: list[list[list[float]]],
    class_names: tuple[str, ...],
    offset: int,
) -> tuple[tuple[ModelAccuracy, ...], list[summary.Answers]]:
    """Every model's accuracy, and every model's answers where they are classes."""
    if how.kind == "regression":
        return tuple(summary.regression(name, records, i, targets) for i, name in enumerate(names)), []
    if how.kind == "metric":
        return tuple(summary.metric(name, records, i) for i, name in enumerate(names)), []
    if how.kind == "outputs" and not _probable(how, records):
        return tuple(ModelAccuracy(name) for name in names), []
    answers = [summary.answers(records, index, how.kind) for index in range(len(names))]
    if how.kind == "outputs":
        return tuple(ModelAccuracy(name) for name in names), answers
    labels = np.array([record.label for record in records], np.int64)
    if how.kind == "classification":
        summary.check_offset(answers[0], labels, offset)
    classes = max(how.classes, 2)
    pairs = zip(names, answers, strict=True)
    return tuple(summary.classification(name, found, labels, classes, class_names) for name, found in pairs), answers


def _probable(how: Judgement, records: Sequence[SampleRecord]) -> bool:
    """Whether the reference's scores look like the probabilities of classes on every sample."""
    return how.classes > 1 and all(record.models[0].probabilities for record in records)


def _comparisons(
    names: Sequence[str],
    records: Sequence[SampleRecord],
    how: Judgement,
    answers: Sequence[summary.Answers],
    dataset: Dataset,
) -> tuple[Comparison, ...]:
    def picture(position: int) -> str | None:
        return thumbnail(dataset.read(position))

    return tuple(compare(names, index, records, how.kind, answers, picture) for index in range(1, len(names)))
