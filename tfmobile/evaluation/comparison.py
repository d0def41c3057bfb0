"""A candidate against the reference on the same samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfmobile.artifacts import ChangedSample, Comparison, Interval
from tfmobile.evaluation.records import SampleRecord
from tfmobile.evaluation.statistics import fraction_interval, mcnemar, mean_interval, paired_difference
from tfmobile.evaluation.summary import Answers, metric_values
from tfmobile.graph.model import Array

MAX_CHANGED = 24
Thumbnail = Callable[[int], "str | None"]


def compare(
    names: Sequence[str],
    index: int,
    records: Sequence[SampleRecord],
    kind: str,
    answers: Sequence[Answers],
    thumbnail: Thumbnail,
) -> Comparison:
    """Model ``index`` against model 0. ``answers`` of all models, empty when they do not classify."""
    snr, cosine, largest = _likeness(records, index - 1)
    facts = _answers_facts(records, answers, index, thumbnail) if answers else _NO_ANSWERS
    return Comparison(
        reference=names[0],
        candidate=names[index],
        samples=len(records),
        metric_change=_metric_change(records, kind, index),
        snr_db=snr,
        cosine=cosine,
        max_abs=largest,
        **facts,
    )


_NO_ANSWERS: dict[str, Any] = {
    "agreement": None,
    "top1_change": None,
    "only_reference_right": None,
    "only_candidate_right": None,
    "mcnemar_p": None,
    "changed_count": 0,
    "changed": (),
}


def _metric_change(records: Sequence[SampleRecord], kind: str, index: int) -> Interval | None:
    """Candidate minus reference, sample by sample: the user's metric, or the absolute error of a regression."""
    if kind == "metric":
        return mean_interval(metric_values(records, index) - metric_values(records, 0))
    if kind == "regression":
        errors = [[record.models[model].absolute_error for record in records] for model in (index, 0)]
        return mean_interval(np.subtract(errors[0], errors[1]))
    return None


def _answers_facts(
    records: Sequence[SampleRecord], answers: Sequence[Answers], index: int, thumbnail: Thumbnail
) -> dict[str, Any]:
    before, after = answers[0], answers[index]
    differs = before.predicted != after.predicted
    facts = {
        **_NO_ANSWERS,
        "agreement": fraction_interval(int((~differs).sum()), len(records)),
        "changed_count": int(differs.sum()),
        "changed": _changed(records, before, after, differs, thumbnail),
    }
    if before.right is not None and after.right is not None:
        lost, won = int((before.right & ~after.right).sum()), int((~before.right & after.right).sum())
        both, neither = int((before.right & after.right).sum()), int((~before.right & ~after.right).sum())
        facts["only_reference_right"], facts["only_candidate_right"] = lost, won
        facts["top1_change"] = paired_difference(both, lost, won, neither)
        facts["mcnemar_p"] = mcnemar(lost, won)
    return facts


def _changed(
    records: Sequence[SampleRecord], before: Answers, after: Answers, differs: Array, thumbnail: Thumbnail
) -> tuple[ChangedSample, ...]:
    """Up to 24 samples: those that became wrong first, the surest answers first."""

    def order(place: int) -> tuple[bool, float, int]:
        became_wrong = before.right is not None and bool(before.right[place])
        return not became_wrong, -float(after.confidence[place]), place

    chosen = sorted((int(place) for place in np.flatnonzero(differs)), key=order)[:MAX_CHANGED]
    return tuple(
        ChangedSample(
            index=records[place].position,
            name=records[place].name,
            label=records[place].label,
            reference=int(before.predicted[place]),
            candidate=int(after.predicted[place]),
            reference_confidence=float(before.confidence[place]),
            candidate_confidence=float(after.confidence[place]),
            thumbnail=thumbnail(records[place].position),
        )
        for place in chosen
    )


def _likeness(records: Sequence[SampleRecord], pair: int) -> tuple[float | None, float | None, float]:
    """SNR in dB over all samples (infinite when equal), mean cosine, largest difference; of finite samples."""
    rows = [record.pairs[pair] for record in records if record.pairs[pair].finite]
    if not rows:
        return None, None, math.nan
    signal, noise = math.fsum(row.signal for row in rows), math.fsum(row.noise for row in rows)
    return _decibel(signal, noise), math.fsum(row.cosine for row in rows) / len(rows), max(row.max_abs for row in rows)


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
