"""How long work tells how far it is. Stages call it; the command line draws it; the API default is silence."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the absolute number of finished units of one stage; ``total`` is None when it is not known."""

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
