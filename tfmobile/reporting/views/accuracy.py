"""Accuracy: the metrics side by side, the paired statistics, classes, and the samples that changed answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tfmobile.artifacts import ChangedSample, Comparison, Evaluation, Interval, ModelAccuracy
from tfmobile.reporting import formatting
from tfmobile.reporting.charts.class_change import ALL, class_change, class_changes, in_points
from tfmobile.reporting.charts.confusion import confusion
from tfmobile.reporting.selection import class_name, compared, main_comparison
from tfmobile.reporting.views.table import Table, table

SHOWN = 12
"""So many changed samples are shown at once, the others on demand."""
MOST_SAMPLES = 120
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class ChangedCard:
    """One sample as shown. ``tone`` and ``words`` say whether the change was a loss."""

    name: str
    label: str
    before: str
    before_confidence: str
    before_mark: str
    after: str
    after_confidence: str
    after_mark: str
    tone: str
    words: str
    picture: str


@dataclass(frozen=True)
class AccuracyView:
    """Everything of the section; plots may be empty."""

    metrics: Table
    paired: Table
    classes: Markup
    classes_caption: str
    confusions: tuple[tuple[str, Markup], ...]
    changed: tuple[ChangedCard, ...]
    more: tuple[ChangedCard, ...]
    unshown: int
    summary: str
    how: str
    notes: tuple[str, ...]


def accuracy_view(evaluation: Evaluation, said: Sequence[str] = ()) -> AccuracyView:
    """Of the candidate of the main comparison against its reference. Notes that were ``said`` are not repeated."""
    before, after = compared(evaluation)
    comparison = main_comparison(evaluation)
    per_class = class_changes(before.per_class, after.per_class) if before and after else []
    changed = _ordered(evaluation, comparison.changed if comparison is not None else ())
    total = comparison.changed_count if comparison is not None else 0
    return AccuracyView(
        metrics=_metrics(evaluation),
        paired=_paired(comparison),
        classes=class_change(per_class),
        classes_caption=_caption(len(per_class), in_points(per_class)),
        confusions=tuple(_confusions(evaluation, before, after)),
        changed=changed[:SHOWN],
        more=changed[SHOWN:MOST_SAMPLES],
        unshown=max(0, total - min(len(changed), MOST_SAMPLES)),
        summary=_summary(evaluation, comparison),
        how=_how(evaluation),
        notes=tuple(note for note in evaluation.notes if note not in said),
    )


def _how(evaluation: Evaluation) -> str:
    labelled = "labelled" if evaluation.labelled else "unlabelled"
    return (
        f"{formatting.count(evaluation.samples, f'{labelled} sample')}, every model on the same ones, in "
        f"{formatting.seconds(evaluation.seconds)} with {formatting.count(evaluation.workers, 'worker')}."
    )


def _caption(classes: int, points: bool) -> str:
    unit = "points of accuracy" if points else "samples answered right"
    which = "All classes" if classes <= ALL else f"The largest losses and gains of {classes:,} classes"
    return f"{which}, in {unit}."


def _metrics(evaluation: Evaluation) -> Table:
    named = [
        ("Top-1", "top1", True),
        ("Top-5", "top5", True),
        ("Mean absolute error", "mae", False),
        ("Root mean squared error", "rmse", False),
        (evaluation.metric_name or "Metric", "metric", False),
    ]
    rows = [
        (title, *(_estimate(getattr(model, name), share) for model in evaluation.models))
        for title, name, share in named
        if any(getattr(model, name) is not None for model in evaluation.models)
    ]
    if any(model.r2 is not None for model in evaluation.models):
        rows.append(("R²", *(_number(model.r2) for model in evaluation.models)))
    heads = ("", *(model.name for model in evaluation.models))
    return table("Metrics with 95 % intervals", heads, rows, range(1, len(heads)))


def _estimate(interval: Interval | None, share: bool) -> str:
    if interval is None:
        return formatting.DASH
    if share:
        return f"{formatting.percent(interval.value)} ({formatting.percent_range(interval)})"
    low, high = formatting.significant(interval.low), formatting.significant(interval.high)
    return f"{formatting.significant(interval.value)} ({low} to {high})"


def _number(value: float | None) -> str:
    return formatting.DASH if value is None else f"{value:.4f}".replace("-", "−")


def _paired(comparison: Comparison | None) -> Table:
    if comparison is None:
        return table("", (), ())
    rows = [
        ("Change of top-1", _change(comparison.top1_change)),
        ("Change of the metric", _plain_change(comparison.metric_change)),
        ("Same answer", _estimate(comparison.agreement, True) if comparison.agreement else ""),
        (f"Only {comparison.reference} right", _maybe(comparison.only_reference_right)),
        (f"Only {comparison.candidate} right", _maybe(comparison.only_candidate_right)),
        ("McNemar test, p", "" if comparison.mcnemar_p is None else formatting.small(comparison.mcnemar_p)),
        ("Output signal-to-noise ratio", "" if comparison.snr_db is None else formatting.decibels(comparison.snr_db)),
        ("Output cosine similarity", "" if comparison.cosine is None else f"{comparison.cosine:.5f}"),
        ("Largest output difference", formatting.small(comparison.max_abs)),
    ]
    caption = f"Sample by sample: {comparison.candidate} against {comparison.reference}"
    return table(caption, ("", ""), [row for row in rows if row[1]], [1])


def _change(change: Interval | None) -> str:
    return "" if change is None else f"{formatting.points(change.value)} points ({formatting.points_range(change)})"


def _plain_change(change: Interval | None) -> str:
    if change is None:
        return ""
    value, low, high = (formatting.signed_significant(one) for one in (change.value, change.low, change.high))
    return f"{value} ({low} to {high})"


def _maybe(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _confusions(
    evaluation: Evaluation, before: ModelAccuracy | None, after: ModelAccuracy | None
) -> list[tuple[str, Markup]]:
    found = []
    for model in (before, after):
        if model is None or model.confusion is None:
            continue
        names = [class_name(evaluation, index) for index in range(len(model.confusion))]
        found.append((model.name, confusion(model.confusion, names, model.name)))
    return [(name, drawn) for name, drawn in found if drawn]


def _ordered(evaluation: Evaluation, changed: tuple[ChangedSample, ...]) -> tuple[ChangedCard, ...]:
    """Losses first, then gains, then what is wrong both times."""
    order = {"bad": 0, "good": 1, "neutral": 2}
    return tuple(sorted((_card(evaluation, one) for one in changed), key=lambda card: order[card.tone]))


def _card(evaluation: Evaluation, sample: ChangedSample) -> ChangedCard:
    was, now = (sample.label == answer for answer in (sample.reference, sample.candidate))
    tone, words = "neutral", "both wrong"
    if sample.label is None:
        words = "changed"
    elif was or now:
        tone, words = ("bad", "now wrong") if was else ("good", "now right")
    picture = sample.thumbnail or ""
    marks = ("", "") if sample.label is None else tuple("right" if one else "wrong" for one in (was, now))
    return ChangedCard(
        name=sample.name,
        label="" if sample.label is None else class_name(evaluation, sample.label),
        before=class_name(evaluation, sample.reference),
        before_confidence=formatting.percent(sample.reference_confidence, 0),
        before_mark=marks[0],
        after=class_name(evaluation, sample.candidate),
        after_confidence=formatting.percent(sample.candidate_confidence, 0),
        after_mark=marks[1],
        tone=tone,
        words=words,
        picture=picture if _PICTURE.fullmatch(picture) else "",
    )


def _summary(evaluation: Evaluation, comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    if not comparison.changed_count:
        return f"No answer changed on {formatting.count(comparison.samples, 'sample')}."
    verb = "answer changed" if comparison.changed_count == 1 else "answers changed"
    text = f"{comparison.changed_count:,} {verb} on {formatting.count(comparison.samples, 'sample')}"
    lost, gained = comparison.only_reference_right, comparison.only_candidate_right
    if lost is None or gained is None:
        return f"{text}."
    rest = comparison.changed_count - lost - gained
    tail = f", {rest} from one wrong answer to another" if rest > 0 else ""
    return f"{text}: {lost} from right to wrong, {gained} from wrong to right{tail}."
