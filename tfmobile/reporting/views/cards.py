"""The three headline cards: original → optimized, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from tfmobile.artifacts import Evaluation, Interval, LatencyRow, ModelAccuracy, Report
from tfmobile.reporting import formatting
from tfmobile.reporting.judgement import Verdict
from tfmobile.reporting.selection import compared, main_comparison, main_rows
from tfmobile.reporting.verdict import Verdicts


@dataclass(frozen=True)
class Card:
    """``before`` and ``after`` are empty when not measured; ``lines`` are further facts, one sentence each."""

    title: str
    before: str
    after: str
    verdict: Verdict
    detail: str
    lines: tuple[str, ...] = ()


def cards(report: Report, words: Verdicts) -> tuple[Card, ...]:
    """Size, latency, accuracy."""
    return (_size(report, words.size), _latency(report, words.latency), _accuracy(report.evaluation, words.accuracy))


def _size(report: Report, verdict: Verdict) -> Card:
    before, after = report.original.size, report.optimized.size
    given = "The original here is the .tflite as given."
    if report.source.format != "tflite":
        source = formatting.size(report.source.size_bytes)
        given = f"The original here is the model as float .tflite; its source takes {source}."
    zipped = f"Zipped, as in an app: {formatting.size(before.zipped_bytes)} → {formatting.size(after.zipped_bytes)}."
    lines = (zipped, given)
    return Card(
        "Size", formatting.size(before.total_bytes), formatting.size(after.total_bytes), verdict, detail(verdict), lines
    )


def _latency(report: Report, verdict: Verdict) -> Card:
    before, after = main_rows(report.latency)
    lines = []
    if before is not None and after is not None:
        lines.append(
            f"Memory of the model: {formatting.size(before.model_memory_bytes)} → "
            f"{formatting.size(after.model_memory_bytes)}."
        )
    if report.latency is not None:
        lines += [
            f"Under TensorFlow the {row.name} takes {formatting.milliseconds(row.p50_ms)}."
            for row in report.latency.rows
            if row.runtime == "tensorflow"
        ][:1]
        lines.append(f"On {report.latency.host.get('cpu', 'this machine')}. Other devices differ.")
    return Card("Latency", _median(before), _median(after), verdict, detail(verdict), tuple(lines))


def _median(row: LatencyRow | None) -> str:
    return formatting.milliseconds(row.p50_ms) if row is not None else ""


def _accuracy(evaluation: Evaluation | None, verdict: Verdict) -> Card:
    if evaluation is None:
        return Card("Accuracy", "", "", verdict, verdict.detail)
    before, after = compared(evaluation)
    title, first, second = _figures(evaluation, before, after)
    lines = [_same_answer(evaluation)]
    return Card(title, first, second, verdict, detail(verdict), tuple(line for line in lines if line))


def detail(verdict: Verdict) -> str:
    """The numbers beside the words, else the whole sentence."""
    return sentence(verdict.numbers or verdict.detail)


def sentence(text: str) -> str:
    """With a capital and one full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _same_answer(evaluation: Evaluation) -> str:
    comparison = main_comparison(evaluation)
    if comparison is None or comparison.agreement is None:
        return ""
    same = comparison.agreement
    return f"Same answer on {formatting.percent(same.value)} of the samples ({formatting.percent_range(same)})."


def _figures(evaluation: Evaluation, before: ModelAccuracy | None, after: ModelAccuracy | None) -> tuple[str, str, str]:
    """Title and the two figures of what the task measures."""
    kinds = (("top1", "Top-1 accuracy"), ("mae", "Mean absolute error"), ("metric", evaluation.metric_name or "Metric"))
    for name, title in kinds:
        first, second = _interval(before, name), _interval(after, name)
        if second is not None:
            show = formatting.percent if name == "top1" else formatting.significant
            return title, show(first.value) if first is not None else "", show(second.value)
    return "Likeness", "", ""


def _interval(model: ModelAccuracy | None, name: str) -> Interval | None:
    found = getattr(model, name) if model is not None else None
    return found if isinstance(found, Interval) else None
