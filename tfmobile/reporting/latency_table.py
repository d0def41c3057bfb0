"""The terminal's view of ``benchmark`` alone: one line a model and setting, then the ratios in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmobile.artifacts import Latency, LatencyRow
from tfmobile.reporting import formatting
from tfmobile.reporting.judgement import judge_ratio
from tfmobile.reporting.layers import clip
from tfmobile.reporting.selection import setting

if TYPE_CHECKING:
    from rich.console import Console

_HEADS = ("Model", "Threads", "XNN", "p50", "p90", "p99", "Start-up", "Memory")


def print_latency(latency: Latency, console: Console) -> None:
    """Times, memory, ratios with intervals, what was fed, notes."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from tfmobile.reporting.table import MARKS, STYLES

    host = " · ".join(str(latency.host[key]) for key in ("cpu", "cores", "os", "runtime") if key in latency.host)
    console.print()
    console.print(Padding(Text(host, style="dim"), (0, 1)))
    console.print()
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim")
    for index, head in enumerate(_HEADS):
        table.add_column(head, justify="right" if index not in (0, 2) else "left", no_wrap=True)
    for row in latency.rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    console.print(table)
    for ratio in latency.ratios:
        tone, words, _ = judge_ratio(ratio.value, ratio.baseline)
        value = ratio.value
        line = (
            f"{MARKS[tone]} {ratio.name} against {ratio.baseline}: {words} (ratio {value.value:.2f}, 95 % interval "
            f"{value.low:.2f} to {value.high:.2f}; {setting(ratio.threads, ratio.xnnpack)})"
        )
        console.print(Padding(Text(line, style=STYLES[tone]), (1 if ratio is latency.ratios[0] else 0, 1, 0, 1)))
    runs = sum(row.runs for row in latency.rows)
    fed = f"Fed with {latency.inputs}; {runs:,} runs in {formatting.seconds(latency.seconds)}."
    console.print(Padding(Text(fed, style="dim"), (1, 1, 0, 1)))
    notes = [*latency.notes]
    if any(not row.converged for row in latency.rows):
        notes.append("* The time budget ended before this median was certain; give more with --latency-budget.")
    for note in notes:
        console.print(Padding(Text(note), (0, 1)))


def _cells(row: LatencyRow) -> tuple[str, ...]:
    ms = formatting.milliseconds
    name = clip(row.name, 22) + (" (TF)" if row.runtime == "tensorflow" else "")
    return (
        name,
        str(row.threads),
        ("on" if row.xnnpack else "off") if row.runtime == "tflite" else formatting.DASH,
        ms(row.p50_ms) + ("" if row.converged else "*"),
        ms(row.p90_ms),
        ms(row.p99_ms),
        ms(row.init_ms),
        formatting.size(row.peak_memory_bytes),
    )
