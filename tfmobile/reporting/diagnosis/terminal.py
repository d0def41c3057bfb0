"""A diagnosis in the terminal: one sentence, findings by severity, the worst layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmobile.artifacts import Diagnosis, Finding
from tfmobile.reporting import formatting
from tfmobile.reporting.diagnosis.wording import (
    FLAGGED,
    answers,
    cause_words,
    layer_cells,
    layer_heads,
    measured_on,
    tone,
    worst_layers,
)
from tfmobile.reporting.html_page import model_title
from tfmobile.reporting.layers import clip, short_names
from tfmobile.reporting.table import MARKS, STYLES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SHOWN_FINDINGS, SHOWN_LAYERS = 6, 8


def print_diagnosis(found: Diagnosis, console: Console, *, everything: bool = False, page: str | None = None) -> None:
    """At most about forty lines, or ``everything``: all findings, all layers in execution order."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    console.print(Text(f" {model_title(found.model)} · {found.recipe} · {found.data}", style="dim"))
    console.print(Padding(Text(found.headline, style="bold"), (0, 1)))
    console.print()
    console.print(_numbers(found))
    _print_findings(found, console, everything)
    _print_layers(found, console, everything)
    for note in found.notes if everything else found.notes[:3]:
        console.print(Padding(Text(f"Note: {note}", style="dim"), (0, 1)))
    console.print(Padding(Text(measured_on(found), style="dim"), (0, 1)))
    if page is not None:
        console.print(Padding(Text(f"Plots: {page}", style="bold"), (0, 1)))


def _numbers(found: Diagnosis) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 1), header_style="dim")
    table.add_column("")
    table.add_column(found.recipe, justify="right")
    simple = dict(answers(found.simple, found.labelled))
    if simple:
        table.add_column("by min/max alone", justify="right")
    for name, value in answers(found.fidelity, found.labelled):
        table.add_row(name, Text(value), *([Text(simple.get(name, ""))] if simple else []))
    return table


def _print_findings(found: Diagnosis, console: Console, everything: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    shown = found.findings if everything else found.findings[:SHOWN_FINDINGS]
    console.print()
    if not shown:
        console.print(Padding(Text("No findings.", style="green"), (0, 1)))
    for finding in shown:
        console.print(Padding(_finding(finding), (0, 1)))
    hidden = len(found.findings) - len(shown)
    if hidden:
        console.print(Padding(Text(f"{formatting.count(hidden, 'more finding')} with --all.", style="dim"), (0, 1)))
    console.print()


def _finding(finding: Finding) -> Table:
    from rich.table import Table
    from rich.text import Text

    style = STYLES[tone(finding)]
    head = Text(cause_words(finding), style=f"bold {style}".strip())
    if finding.where:
        head.append(f"  {finding.where}", style="not bold")
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, width=1)
    table.add_column()
    table.add_row(Text(MARKS[tone(finding)], style=style), head)
    table.add_row("", Text(finding.what))
    table.add_row("", Text(f"→ {finding.fix}"))
    return table


def _print_layers(found: Diagnosis, console: Console, everything: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    layers = list(found.layers) if everything else worst_layers(found.layers, SHOWN_LAYERS)
    if not layers:
        return
    names = dict(zip((one.name for one in found.layers), short_names([one.name for one in found.layers]), strict=True))
    table = Table(box=None, pad_edge=True, padding=(0, 1), header_style="dim")
    table.add_column("Layer" if everything else "Worst layers", no_wrap=True)
    for head in layer_heads(found):
        table.add_column(head, justify="right", no_wrap=True)
    for layer in layers:
        style = "yellow" if layer.rmse_per_scale > FLAGGED and layer.share >= 0.1 else ""
        table.add_row(
            *(
                Text(cell, style=style)
                for cell in (clip(names[layer.name], max(24, console.width - 54)), *layer_cells(layer))
            )
        )
    console.print(table)
    console.print()
