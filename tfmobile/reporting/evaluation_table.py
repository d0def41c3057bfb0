"""The terminal's view of ``evaluate`` alone: one line a model, then what changed against the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmobile.artifacts import Comparison, Evaluation, Interval, ModelAccuracy
from tfmobile.reporting import formatting
from tfmobile.reporting.accuracy_verdict import judge_comparison
from tfmobile.reporting.layers import clip

if TYPE_CHECKING:
    from rich.console import Console

_METRICS = (
    ("top1", "Top-1"),
    ("top5", "Top-5"),
    ("mae", "MAE"),
    ("rmse", "RMSE"),
    ("metric", "Metric"),
)


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Metrics with intervals, verdict and paired statistics of every comparison, notes."""
    from rich.padding import Padding
    from rich.text import Text

    from tfmobile.reporting.table import MARKS, STYLES

    labelled = "labelled" if evaluation.labelled else "unlabelled"
    console.print()
    console.print(Text(
        f" {evaluation.task} · {formatting.count(evaluation.samples, f'{labelled} sample')} · "
        f"{formatting.count(evaluation.workers, 'worker')} · {formatting.seconds(evaluation.seconds)}", style="dim",
    ))  # fmt: skip
    console.print()
    _print_models(evaluation, console)
    for comparison in evaluation.comparisons:
        verdict = judge_comparison(evaluation, comparison)
        line = f"{MARKS[verdict.tone]} {comparison.candidate} against {comparison.reference}: {verdict.detail}"
        console.print(Padding(Text(line, style=STYLES[verdict.tone]), (1, 1, 0, 1)))
        console.print(Padding(Text(_statistics(comparison), style="dim"), (0, 1, 0, 3)))
    for note in evaluation.notes:
        console.print(Padding(Text(f"Note: {note}"), (0, 1)))


def _print_models(evaluation: Evaluation, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    used = [(key, title) for key, title in _METRICS if any(getattr(one, key) is not None for one in evaluation.models)]
    if not used:
        return
    table = Table(box=None, padding=(0, 2, 0, 1), header_style="dim")
    table.add_column("Model", no_wrap=True)
    for key, title in used:
        table.add_column((evaluation.metric_name or title) if key == "metric" else title, justify="right")
    with_r2 = any(one.r2 is not None for one in evaluation.models)
    if with_r2:
        table.add_column("R²", justify="right")
    for model in evaluation.models:
        cells = [_estimate(getattr(model, key), key) for key, _ in used]
        table.add_row(Text(clip(model.name, 30)), *cells, *([_r2(model)] if with_r2 else []))
    console.print(table)


def _r2(model: ModelAccuracy) -> str:
    return formatting.DASH if model.r2 is None else f"{model.r2:.4f}".replace("-", "−")


def _estimate(interval: Interval | None, key: str) -> str:
    if interval is None:
        return formatting.DASH
    if key.startswith("top"):
        return f"{formatting.percent(interval.value)} ({formatting.percent_range(interval)})"
    low, high = formatting.significant(interval.low), formatting.significant(interval.high)
    return f"{formatting.significant(interval.value)} ({low} to {high})"


def _statistics(comparison: Comparison) -> str:
    parts = [
        f"same answer on {formatting.percent(comparison.agreement.value)}" if comparison.agreement is not None else "",
        f"only {comparison.reference} right {comparison.only_reference_right}, only {comparison.candidate} right "
        f"{comparison.only_candidate_right}" if comparison.only_reference_right is not None else "",
        f"McNemar p = {formatting.small(comparison.mcnemar_p)}" if comparison.mcnemar_p is not None else "",
        f"output SNR {formatting.decibels(comparison.snr_db)}" if comparison.snr_db is not None else "",
        f"cosine {comparison.cosine:.5f}" if comparison.cosine is not None else "",
        f"largest difference {formatting.small(comparison.max_abs)}",
    ]  # fmt: skip
    return "; ".join(part for part in parts if part)
