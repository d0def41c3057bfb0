"""A table as data: the template decides how it looks, and every table of the page looks the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Cells as text; ``tone`` colours the row's words (bad, caution or none)."""

    cells: tuple[str, ...]
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """``numeric``: columns set flush right. ``caption`` is shown above, ``note`` below."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: frozenset[int] = frozenset()
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str] | Row],
    numeric: Iterable[int] = (),
    note: str = "",
) -> Table:
    """Rows without a tone may be given as plain sequences."""
    made = tuple(row if isinstance(row, Row) else Row(tuple(row)) for row in rows)
    return Table(caption, tuple(heads), made, frozenset(numeric), note)
