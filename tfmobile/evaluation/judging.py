"""From one sample's outputs to its record. Pure numpy; runs in the worker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.evaluation.records import PairRecord
from tfmobile.graph.model import Array

TOP = 5


def finite(outputs: Mapping[str, Array]) -> bool:
    """Whether no float output holds NaN or infinity."""
    return all(array.dtype.kind != "f" or bool(np.isfinite(array).all()) for array in outputs.values())


def top_classes(scores: Array) -> tuple[int, ...]:
    """The classes of the highest scores of [K], best first, equal scores in class order; (-1,) if one is NaN."""
    if np.isnan(scores.max()):
        return (-1,)
    if len(scores) <= 64:
        return tuple(np.argsort(-scores, kind="stable")[:TOP].tolist())
    # Everything from the fifth highest score up, so that ties at the border are settled in class order too.
    border = np.partition(scores, len(scores) - TOP)[len(scores) - TOP]
    places = np.flatnonzero(scores >= border)
    return tuple(places[np.argsort(-scores[places], kind="stable")[:TOP]].tolist())


def rank_of(scores: Array, label: int) -> int:
    """How many of [K] scores come before the label's, equal ones in class order; K when a score is NaN."""
    if np.isnan(scores.max()):
        return len(scores)
    own = scores[label]
    return int(np.count_nonzero(scores > own) + np.count_nonzero(scores[:label] == own))


def looks_like_probabilities(scores: Array) -> bool:
    """Whether all of [K] lie in 0..1, give or take a quantization step."""
    return bool(scores.min() >= -1e-6 and scores.max() <= 1 + 1e-3)


def confidence_of(scores: Array, index: int) -> float:
    """The probability of class ``index``: its score if scores are probabilities, else their softmax; 0 with NaN."""
    if index < 0:
        return 0.0
    if looks_like_probabilities(scores):
        return float(scores[index])
    with np.errstate(invalid="ignore", over="ignore"):
        powers = np.exp(scores.astype(np.float64) - scores.max())
        found = float(powers[index] / powers.sum())
    return found if math.isfinite(found) else 0.0


def compare_outputs(reference: Sequence[Array], candidate: Sequence[Array]) -> PairRecord:
    """Signal, noise, cosine and largest difference of two models' outputs, in the same order, over all elements."""
    signal = other = noise = dot = largest = 0.0
    for one, two in zip(reference, candidate, strict=True):
        a, b = one.astype(np.float64).ravel(), two.astype(np.float64).ravel()
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return PairRecord(False)
        difference = a - b
        signal += float(a @ a)
        other += float(b @ b)
        dot += float(a @ b)
        noise += float(difference @ difference)
        largest = max(largest, float(np.abs(difference).max(initial=0.0)))
    length = math.sqrt(signal * other)
    cosine = dot / length if length else float(signal == other)
    return PairRecord(True, signal, noise, cosine, largest)
