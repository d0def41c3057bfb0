"""How commands speak: results on stdout (text or one JSON document), progress on stderr when it is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmobile.progress import Progress, silent

if TYPE_CHECKING:
    from rich.console import Console


def print_json(value: Any) -> None:
    """One document, NaN and infinities as null."""
    from tfmobile.codec import finite

    sys.stdout.write(json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n")


def console() -> Console:
    """A console for results; without colour where the terminal has none."""
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def progress_bars(wanted: bool) -> Iterator[Progress]:
    """Bars with rate and time left, one a stage; silence when not wanted or not on a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in bars.tasks:  # a new stage begins, so the ones before it are done
                    bars.update(task.id, total=task.total or 1, completed=task.total or 1)
                tasks[stage] = bars.add_task(stage, total=None, rate="")
            task = next(task for task in bars.tasks if task.id == tasks[stage])
            rate = f"{task.speed:.1f}/s" if task.speed and (task.total or 0) > 1 else ""
            bars.update(task.id, completed=done, total=total or task.total, rate=rate)

        yield update
