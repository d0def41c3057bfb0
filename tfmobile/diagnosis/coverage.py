"""Checks of classes and labels: which classes the samples cover, and whether the labels are the model's."""

from __future__ import annotations

import math

import numpy as np

from tfmobile.diagnosis.data_evidence import DataEvidence, Remark, listed
from tfmobile.diagnosis.signs import percent
from tfmobile.diagnosis.survey import Survey
from tfmobile.graph.model import Array

FULL_SHARE = 0.2
"""A class with less than this part of an even share is covered too little."""
CHANCE = 0.01
"""How likely a set drawn at random may look like the one that is called one-sided."""
OFFSETS = (1, -1, 2, -2)
FROM_ALL = (
    "Take the samples from all classes: shuffle before taking the first ones, or give --limit, which spreads evenly."
)


def class_coverage(evidence: DataEvidence) -> Remark | None:
    """Classes without samples keep ranges and corrections that were never fitted to them."""
    found, classes = evidence.calibration, evidence.classes
    numbers, source = _classes_of(found)
    if classes is None or classes < 2 or not (numbers >= 0).any():
        return None
    numbers = numbers[numbers >= 0]
    counts = np.bincount(numbers[numbers < classes], minlength=classes)
    share = len(numbers) / classes
    few = [number for number in range(classes) if _too_few(int(counts[number]), share, classes, source)]
    if few:
        return _uncovered(evidence, counts, few, share, source)
    return _one_sided(found, counts, source)


def _classes_of(found: Survey) -> tuple[Array, str]:
    """The class of each sample, and whether it is its label or the float model's answer."""
    if len(found.labelled) == len(found) and len(found):
        return np.array(found.labels, np.int64), "label"
    return (found.predictions, "answer") if found.predictions is not None else (np.zeros(0, np.int64), "answer")


def _too_few(count: int, share: float, classes: int, source: str) -> bool:
    """Whether an even draw would so rarely give so few (Poisson)."""
    by_label = source == "label"
    if count >= (FULL_SHARE if by_label else FULL_SHARE / 4) * share:
        return False
    unlikely = sum(math.exp(-share + k * math.log(share) - math.lgamma(k + 1)) for k in range(count + 1))
    # Answers err, and the true shares are unknown where they stand in for labels: only what stands out counts.
    return unlikely < (CHANCE if by_label else CHANCE * 1e-2) / classes


def _uncovered(evidence: DataEvidence, counts: Array, few: list[int], share: float, source: str) -> Remark:
    none = [number for number in few if counts[number] == 0]
    rare = [number for number in few if counts[number]]
    parts = []
    if none:
        parts.append(f"no sample of {_classes(evidence, none)}")
    if rare:
        parts.append(f"less than a fifth of an even share of {_classes(evidence, rare)}")
    how = "" if source == "label" else " (by the float model's answers)"
    lost = len(few) / len(counts)
    return Remark(
        min(1.0, (0.2 if source == "label" else 0.1) + lost),
        f"The {len(evidence.calibration)} {evidence.calibration.what}{how} have {' and '.join(parts)}; "
        f"an even share is {share:.3g}.",
        FROM_ALL,
    )


def _classes(evidence: DataEvidence, numbers: list[int]) -> str:
    return ("class " if len(numbers) == 1 else "classes ") + listed([evidence.class_name(one) for one in numbers])


def _one_sided(found: Survey, counts: Array, source: str) -> Remark | None:
    """With fewer samples than classes: how many classes come at all, against an even draw."""
    total, classes = int(counts.sum()), len(counts)
    if total < 30:
        return None
    seen, expected = int((counts > 0).sum()), classes * (1 - math.exp(-total / classes))
    if seen >= (0.6 if source == "label" else 0.25) * expected:
        return None
    how = "" if source == "label" else " by the float model's answers"
    return Remark(
        min(0.8, 1 - seen / expected),
        f"The {total} {found.what} cover {seen} of {classes} classes{how}; an even draw covers about {expected:.0f}.",
        FROM_ALL,
    )


def label_offset(evidence: DataEvidence) -> Remark | None:
    """The labels are numbered from another start than the model's outputs, so right answers count as wrong."""
    labels, answers = _judged(evidence)
    if len(labels) < 16:
        return None
    right = {step: float((labels + step == answers).mean()) for step in (0, *OFFSETS)}
    best = max(OFFSETS, key=lambda step: right[step])
    if right[best] < right[0] + 0.2 or right[best] < 3 * right[0]:
        return None
    return Remark(
        min(1.0, 0.5 + right[best] - right[0]),
        f"With the labels as they are the float model is right in {percent(right[0])} of {len(labels)} samples; with "
        f"{abs(best)} {'added to' if best > 0 else 'taken from'} each label in {percent(right[best])}.",
        f"Give --label-offset {evidence.label_offset + best}.",
    )


def label_order(evidence: DataEvidence) -> Remark | None:
    """The classes are numbered in another order than the model's outputs, so right answers count as wrong."""
    labels, answers = _judged(evidence)
    if len(labels) < 16 or label_offset(evidence) is not None:
        return None
    classes = len(set(labels.tolist()))
    right = float((labels == answers).mean())
    renamed = _best_renaming(labels, answers)
    if classes < 3 or len(labels) < 5 * classes or renamed < right + 0.3 or renamed < 2 * right:
        return None
    return Remark(
        min(1.0, 0.5 + renamed - right),
        f"The float model is right in {percent(right)} of {len(labels)} samples, but its answers sort them into the "
        f"same classes under other numbers in {percent(renamed)}.",
        "Give --labels FILE with one class name a line, in the order of the model's outputs.",
    )


def answers_at_chance(evidence: DataEvidence) -> Remark | None:
    """The float model is right no more often than guessing, so quantization is not what is wrong."""
    labels, answers = _judged(evidence)
    if len(labels) < 30 or label_offset(evidence) is not None or label_order(evidence) is not None:
        return None
    size = int(max(labels.max(), answers.max())) + 1
    shares = [np.bincount(numbers, minlength=size) / len(labels) for numbers in (labels, answers)]
    chance, right = float(shares[0] @ shares[1]), float((labels == answers).mean())
    if chance > 0.6 or right > chance + 2 * math.sqrt(chance * (1 - chance) / len(labels)) or labels.min() < 0:
        return None
    return Remark(
        0.8,
        f"The float model is right in {percent(right)} of {len(labels)} samples; guessing with its shares of answers "
        f"would be in {percent(chance)}.",
        "Check that labels belong to these samples and to this model (--labels, --y-key), and that it is trained.",
    )


def _judged(evidence: DataEvidence) -> tuple[Array, Array]:
    """Labels and answers of the labelled samples of the last set that has both; empty where none has."""
    for found in reversed(evidence.sets):
        if found.predictions is not None and len(found.labelled):
            at = [index for index in found.labelled if found.predictions[index] >= 0]
            return np.array([found.labels[index] for index in at], np.int64), found.predictions[at]
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _best_renaming(labels: Array, answers: Array) -> float:
    """The fraction that is right after a greedy one-to-one renaming of the answers' classes."""
    known, rows = np.unique(labels, return_inverse=True)
    given, columns = np.unique(answers, return_inverse=True)
    table = np.zeros((len(known), len(given)), np.int64)
    np.add.at(table, (rows, columns), 1)
    right = 0
    while table.max(initial=0) > 0:
        row, column = np.unravel_index(table.argmax(), table.shape)
        right += int(table[row, column])
        table[row, :] = table[:, column] = -1
    return right / len(labels)
