"""Latency: the distribution of the runs, every row measured, and the ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tfmobile.artifacts import Interval, Latency, LatencyRow
from tfmobile.reporting import formatting
from tfmobile.reporting.charts.latency_distribution import axis_end, by_setting, latency_distribution
from tfmobile.reporting.judgement import judge_ratio
from tfmobile.reporting.selection import setting
from tfmobile.reporting.views.table import Row, Table, table

OPEN_ENDED = "* The time budget ended before this median was certain."


@dataclass(frozen=True)
class LatencyView:
    """Everything of the section."""

    plot: Markup
    plot_caption: str
    rows: Table
    ratios: Table
    host: Table
    how: str
    notes: tuple[str, ...]


def latency_view(latency: Latency, said: Sequence[str] = ()) -> LatencyView:
    """All rows in the table; TFLite rows in the plot. Notes that were ``said`` are not repeated."""
    drawn = [row for row in latency.rows if row.runtime == "tflite" and row.times_ms]
    warmups = sorted({row.warmup_runs for row in latency.rows})
    warmup = formatting.listed(str(one) for one in warmups)
    return LatencyView(
        plot=latency_distribution(drawn),
        plot_caption=_caption(drawn, len(drawn) < len(latency.rows)),
        rows=_rows(latency),
        ratios=_ratios(latency),
        host=table("Measured on", ("", ""), latency.host.items()),
        how=f"Fed with {latency.inputs}, after {warmup} warm-up runs; {formatting.seconds(latency.seconds)} in all. "
        "Original and optimized take turns, so that drift of the machine cancels in the ratio.",
        notes=tuple(note for note in latency.notes if note not in said),
    )


def _caption(rows: list[LatencyRow], others: bool) -> str:
    if not rows:
        return ""
    beyond = sum(value >= axis_end(group) for group in by_setting(rows) for row in group for value in row.times_ms)
    text = "The time of single runs. Bar and long mark: the median; short mark: the 90th percentile."
    if beyond:
        text += f" {formatting.count(beyond, 'run')} beyond the axis."
    return text + (" Runs under TensorFlow are in the table." if others else "")


def _rows(latency: Latency) -> Table:
    heads = (
        "Model", "Runtime", "Threads", "XNNPACK", "Median", "95 % interval", "p90", "p99", "Mean", "Start-up",
        "Peak memory", "Model’s part", "Runs",
    )  # fmt: skip
    note = "" if all(row.converged for row in latency.rows) else OPEN_ENDED
    rows = [Row(_cells(row), "" if row.converged else "caution") for row in latency.rows]
    return table("Benchmark, every row", heads, rows, [2, *range(4, 13)], note)


def _cells(row: LatencyRow) -> tuple[str, ...]:
    ms = formatting.milliseconds
    return (
        row.name,
        row.runtime,
        str(row.threads),
        ("on" if row.xnnpack else "off") if row.runtime == "tflite" else formatting.DASH,
        ms(row.p50_ms),
        milliseconds_range(row.interval),
        ms(row.p90_ms),
        ms(row.p99_ms),
        ms(row.mean_ms),
        ms(row.init_ms),
        formatting.size(row.peak_memory_bytes),
        formatting.size(row.model_memory_bytes),
        f"{row.runs:,}{'' if row.converged else '*'}",
    )


def milliseconds_range(interval: Interval) -> str:
    """``2.19 to 2.21 ms``, the unit once where both share it."""
    low, high = formatting.milliseconds(interval.low), formatting.milliseconds(interval.high)
    return f"{low[:-3]} to {high}" if low.endswith(" ms") and high.endswith(" ms") else f"{low} to {high}"


def _ratios(latency: Latency) -> Table:
    pairs = {(one.name, one.baseline) for one in latency.ratios}
    same = len(pairs) == 1
    rows = [
        (
            *(() if same else (f"{one.name} against {one.baseline}",)),
            setting(one.threads, one.xnnpack),
            f"{one.value.value:.2f}",
            f"{one.value.low:.2f} to {one.value.high:.2f}",
            judge_ratio(one.value, one.baseline)[1],
        )
        for one in latency.ratios
    ]
    note = "Ratio of the medians; above 1 is faster."
    if not same:
        return table("How much faster", ("", "Setting", "Ratio", "95 % interval", ""), rows, [2, 3], note)
    name, baseline = pairs.pop()
    caption = f"How much faster: {name} against {baseline}"
    return table(caption, ("Setting", "Ratio", "95 % interval", ""), rows, [1, 2], note)
