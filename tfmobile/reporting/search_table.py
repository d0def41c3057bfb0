"""The terminal's table of a search: every candidate on a line, the chosen one and those that none beats marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmobile.artifacts import Search, SearchTrial
from tfmobile.reporting import formatting
from tfmobile.reporting.views.pareto import mark, shown_loss

if TYPE_CHECKING:
    from rich.console import Console

MOST = 14
_TONES = {"within": "green", "beyond": "yellow", "failed": "bold red"}


def print_search(search: Search, console: Console) -> None:
    """The table, and in a sentence why the chosen one was taken."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 1), header_style="dim", expand=False)
    for index, head in enumerate(("Candidate", "Size", "Faster", "Loss", "")):
        table.add_column(head, justify="left" if index in (0, 4) else "right", no_wrap=index < 4)
    shown = shortened(search)
    for one in shown:
        state = Text(f"{one.verdict} {mark(one, search.chosen)}".strip(), style=_TONES[one.verdict])
        table.add_row(one.name, _size(one), _speed(one), shown_loss(one, search), state)
    console.print()
    console.print(table)
    if len(shown) < len(search.trials):
        console.print(Padding(Text(f"{len(search.trials) - len(shown)} more in the report", style="dim"), (0, 1)))
    console.print(Padding(Text("✓ chosen   ◆ no other costs and loses less", style="dim"), (0, 1)))
    console.print(Padding(Text(search.why), (0, 1)))


def shortened(search: Search) -> tuple[SearchTrial, ...]:
    """At most MOST trials in their order: the chosen one, those that none beats, and the first of the others."""
    places = range(len(search.trials))
    first = sorted(
        places, key=lambda place: (search.trials[place].name != search.chosen, not search.trials[place].best, place)
    )
    return tuple(search.trials[place] for place in sorted(first[:MOST]))


def _size(one: SearchTrial) -> str:
    return formatting.DASH if one.size_bytes is None else formatting.size(one.size_bytes)


def _speed(one: SearchTrial) -> str:
    return formatting.DASH if one.speed is None else formatting.times(one.speed.value)
