"""The terminal's summary of a run: at most about thirty lines, 80 columns, clear without colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfmobile.artifacts import Evaluation, ModelAccuracy, Report
from tfmobile.reporting import formatting
from tfmobile.reporting.charts.op_kinds import words as kind_words
from tfmobile.reporting.html_page import model_title
from tfmobile.reporting.judgement import Tone
from tfmobile.reporting.search_table import print_search
from tfmobile.reporting.selection import compared, main_ratios, main_rows
from tfmobile.reporting.verdict import Verdicts, op_counts, verdicts
from tfmobile.reporting.views.improvement import summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES: dict[str, str] = {"good": "green", "neutral": "", "caution": "yellow", "bad": "bold red", "unknown": "dim"}
MARKS: dict[str, str] = {"good": "✓", "neutral": "=", "caution": "!", "bad": "✕", "unknown": "–"}
_MOST_WARNINGS, _MOST_NOTES = 4, 3

Line = tuple[str, str, str, str, Tone]


def print_table(report: Report, console: Console) -> None:
    """Verdict, original → optimized, operators, warnings, notes, and where the full report is."""
    from rich.padding import Padding
    from rich.text import Text

    words = verdicts(report)
    recipe = str(report.recipe.get("name", report.optimized.recipe))
    console.print()
    console.print(Text(f" {model_title(report.source.path)} · {recipe} · {report.target}", style="dim"))
    headline = Text(f"{MARKS[words.tone]} {words.headline}", style=f"bold {STYLES[words.tone]}".strip())
    console.print(Padding(headline, (0, 1)))
    console.print()
    console.print(_table(report, words))
    if report.search is not None:
        print_search(report.search, console)
    console.print()
    _print_facts(report, words, console)


def _table(report: Report, words: Verdicts) -> Table:
    return grid(("", "Original", "Optimized", "Change"), _lines(report, words))


def grid(heads: tuple[str, ...], lines: Iterable[Line]) -> Table:
    """A table without frame; the last column takes the rest of the line and the colour of the verdict."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 1), header_style="dim", expand=False)
    for index, head in enumerate(heads):
        last = index == len(heads) - 1
        table.add_column(head, justify="right" if index > 0 and not last else "left", no_wrap=not last)
    for *cells, tone in lines:
        *plain, change = (Text(str(cell)) for cell in cells)
        change.stylize(STYLES[tone])
        table.add_row(*plain, change)
    return table


def _lines(report: Report, words: Verdicts) -> list[Line]:
    before, after = report.original.size, report.optimized.size
    lines: list[Line] = [
        (
            "Size",
            formatting.size(before.total_bytes),
            formatting.size(after.total_bytes),
            words.size.words,
            words.size.tone,
        )
    ]
    lines += _latency_lines(report, words)
    lines += _accuracy_lines(report.evaluation, words)
    return lines


def _latency_lines(report: Report, words: Verdicts) -> list[Line]:
    before, after = main_rows(report.latency)
    if before is None or after is None:
        return [("Latency", formatting.DASH, formatting.DASH, words.latency.words, words.latency.tone)]
    ms, size = formatting.milliseconds, formatting.size
    return [
        ("Latency", ms(before.p50_ms), ms(after.p50_ms), _speed(report, words), words.latency.tone),
        ("Memory", size(before.model_memory_bytes), size(after.model_memory_bytes), "", "neutral"),
    ]


def _speed(report: Report, words: Verdicts) -> str:
    ratios = main_ratios(report.latency)
    if not ratios:
        return words.latency.words
    value = ratios[0].value
    return f"{words.latency.words} (ratio {value.value:.2f}, {value.low:.2f} to {value.high:.2f})"


def _accuracy_lines(evaluation: Evaluation | None, words: Verdicts) -> list[Line]:
    verdict = words.accuracy
    before, after = compared(evaluation)
    lines: list[Line] = []
    for name, title in (("top1", "Top-1"), ("top5", "Top-5"), ("mae", "MAE"), ("rmse", "RMSE"), ("metric", "Metric")):
        second = _estimate(after, name)
        if second:
            title = (evaluation.metric_name if evaluation is not None and name == "metric" else None) or title
            tone: Tone = "neutral" if lines else verdict.tone
            lines.append(
                (title, _estimate(before, name) or formatting.DASH, second, "" if lines else verdict.detail, tone)
            )
    return lines or [("Accuracy", formatting.DASH, formatting.DASH, verdict.words, verdict.tone)]


def _estimate(model: ModelAccuracy | None, name: str) -> str:
    interval = getattr(model, name, None)
    if interval is None:
        return ""
    return formatting.percent(interval.value) if name.startswith("top") else formatting.significant(interval.value)


def _print_facts(report: Report, words: Verdicts, console: Console) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row("Operators", Text(kind_words(op_counts(report))))
    if report.improvement is not None and report.improvement.steps:
        table.add_row("Improved", Text(summary(report.improvement)))
    for one in words.warnings[:_MOST_WARNINGS]:
        label = "Warning" if one.tone == "bad" else "Note"
        table.add_row(
            Text(f"{label} {MARKS[one.tone]}", style=STYLES[one.tone]), Text(one.text, style=STYLES[one.tone])
        )
    for note in report.notes[:_MOST_NOTES]:
        table.add_row("Note", Text(note))
    hidden = max(0, len(words.warnings) - _MOST_WARNINGS) + max(0, len(report.notes) - _MOST_NOTES)
    if hidden:
        table.add_row("", Text(f"{formatting.count(hidden, 'more note')} in the report"))
    table.add_row("Report", Text(f"{report.out.rstrip('/')}/report.html", style="bold"))
    console.print(Padding(table, (0, 1)))
