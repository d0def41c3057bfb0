"""From the records of all samples to one model's accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import ClassAccuracy, ModelAccuracy
from tfmobile.errors import DataError
from tfmobile.evaluation.records import SampleRecord
from tfmobile.evaluation.statistics import fraction_interval, mean_interval, root_mean_interval
from tfmobile.graph.model import Array

MAX_CONFUSION = 100
THRESHOLD = 0.5
"""Of a single score: class 1 above it."""


@dataclass(frozen=True)
class Answers:
    """One model's answers in sample order: classes [N] (-1: none), confidences [N], which are right."""

    predicted: Array
    confidence: Array
    right: Array | None
    in_top5: Array | None


def answers(records: Sequence[SampleRecord], model: int, kind: str) -> Answers:
    """What a classifier (``binary`` or of several scores) answered."""
    rows = [record.models[model] for record in records]
    labels = np.array([-1 if record.label is None else record.label for record in records])
    labelled = kind in ("binary", "classification")
    if kind == "binary":
        scores = np.array([row.score for row in rows])
        predicted = np.array([int(row.score > THRESHOLD) if row.finite else -1 for row in rows])
        confidence = np.where(predicted == 1, scores, 1 - scores)
        return Answers(predicted, confidence, predicted == labels, None)
    predicted = np.array([row.top[0] for row in rows])
    confidence = np.array([row.confidence for row in rows])
    ranks = np.array([row.rank for row in rows])
    return Answers(predicted, confidence, ranks == 0 if labelled else None, ranks < 5 if labelled else None)


def classification(
    name: str, found: Answers, labels: Array, classes: int, class_names: tuple[str, ...]
) -> ModelAccuracy:
    """Top-1, top-5 (of more than five classes), accuracy by class, and the confusion matrix up to 100 classes."""
    assert found.right is not None
    total, right = len(labels), found.right
    per_class = tuple(
        ClassAccuracy(
            label=int(label),
            name=class_names[label] if label < len(class_names) else str(label),
            count=int((labels == label).sum()),
            correct=int(right[labels == label].sum()),
        )
        for label in np.unique(labels)
    )
    top5 = None
    if classes > 5 and found.in_top5 is not None:
        top5 = fraction_interval(int(found.in_top5.sum()), total)
    return ModelAccuracy(
        name=name,
        top1=fraction_interval(int(right.sum()), total),
        top5=top5,
        per_class=per_class,
        confusion=_confusion(labels, found.predicted, classes) if classes <= MAX_CONFUSION else None,
    )


def _confusion(labels: Array, predicted: Array, classes: int) -> tuple[tuple[int, ...], ...]:
    matrix = np.zeros((classes, classes), np.int64)
    answered = predicted >= 0
    np.add.at(matrix, (labels[answered], predicted[answered]), 1)
    return tuple(tuple(int(count) for count in row) for row in matrix)


def regression(
    name: str, records: Sequence[SampleRecord], model: int, targets: Sequence[Sequence[Sequence[float]]]
) -> ModelAccuracy:
    """Mean absolute error, root mean squared error, and R² = 1 − Σ(error²) / Σ((target − mean target)²)."""
    absolute = np.array([record.models[model].absolute_error for record in records])
    squared = np.array([record.models[model].squared_error for record in records])
    return ModelAccuracy(
        name=name, mae=mean_interval(absolute), rmse=root_mean_interval(squared), r2=_r2(squared, targets)
    )


def _r2(squared: Array, targets: Sequence[Sequence[Sequence[float]]]) -> float | None:
    count, total, squares = (np.sum([np.asarray(part[index]) for part in targets], axis=0) for index in range(3))
    spread = float((squares - total * total / count).sum())
    error = float(squared.sum()) * total.size
    if not math.isfinite(error):
        return None
    return 1 - error / spread if spread > 1e-12 * max(1.0, float(squares.sum())) else None


def metric(name: str, records: Sequence[SampleRecord], model: int) -> ModelAccuracy:
    """Mean of the user's metric."""
    return ModelAccuracy(name=name, metric=mean_interval(metric_values(records, model)))


def metric_values(records: Sequence[SampleRecord], model: int) -> Array:
    """The user's metric of every sample [N]."""
    return np.array([record.models[model].metric for record in records])


def check_offset(found: Answers, labels: Array, offset: int) -> None:
    """Raise DataError when the reference is right nowhere, but would be if every label were one higher or lower."""
    if found.right is None or len(labels) < 30:
        return
    now = float(found.right.mean())
    for shift in (1, -1):
        then = float((found.predicted == labels + shift).mean())
        if then > 0.2 and then > 5 * now:
            raise DataError(
                f"The labels seem to be shifted by one: top-1 is {now:.1%}, with an offset of {shift:+d} {then:.1%}.",
                why="Models with a background class count their classes from 1.",
                fixes=[f"--label-offset {offset + shift}"],
            )


def notes(records: Sequence[SampleRecord], names: Sequence[str], kind: str) -> tuple[str, ...]:
    """What the numbers do not say: outputs that are NaN, single scores that are no probabilities."""
    found = []
    for index, name in enumerate(names):
        bad = [record for record in records if not record.models[index].finite]
        if bad:
            found.append(
                f"'{name}' answered {len(bad)} of {len(records)} samples with NaN or infinity, first '{bad[0].name}': "
                "they count as wrong, and are left out of SNR, cosine and largest difference."
            )
        outside = [record for record in records if not -1e-3 <= record.models[index].score <= 1 + 1e-3]
        if kind == "binary" and outside:
            found.append(
                f"The single score of '{name}' is outside 0 to 1 on {len(outside)} samples: it looks like a logit, "
                f"but class 1 was taken above {THRESHOLD}."
            )
    return tuple(found)
