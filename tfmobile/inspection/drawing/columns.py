"""A long drawing broken into columns, like text, where few lines have to lead on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmobile.inspection.drawing.ranks import Edges, crossing

_SHAPE = 1.5
"""Width to height that is aimed at: a screen's."""
_SHORTEST = 5
_MOST_LINES = 4
_PER_LINE = 0.3
"""One line more that leads on is as bad as missing the height aimed at by this part of it."""

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """Boxes by rank. Outputs of ``enters`` come in from the column before, those of ``leaves`` go on."""

    rows: tuple[tuple[str, ...], ...]
    enters: Lines = ()
    leaves: Lines = ()


def columns(
    rank: Mapping[str, int], edges: Edges, heights: Mapping[str, float], widths: Mapping[str, float], gap: float
) -> list[Column]:
    """The ranks in one column or several; ``gap`` is added to each row and column."""
    rows: list[list[str]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for key, at in rank.items():
        rows[at].append(key)
    tall = [max((heights[key] for key in row), default=0.0) + gap for row in rows]
    wide = sorted(sum(widths[key] + gap for key in row) for row in rows)
    typical = (wide[len(wide) // 2] if wide else 0.0) + 2 * gap
    number = max(1, round(math.sqrt(_SHAPE * sum(tall) / typical))) if typical else 1
    lines = [found if 0 < len(found) <= _MOST_LINES else () for found in crossing(rank, edges.forward)]
    for source, target in edges.back:
        for at in range(rank[target], rank[source]):
            lines[at] = ()
    return _cut(rows, tall, max(sum(tall) / number, _tallest_whole(tall, lines)), lines)


def _tallest_whole(tall: Sequence[float], lines: Sequence[Lines]) -> float:
    """The height of the longest part that cannot be broken: no use to break the others much shorter."""
    found = height = 0.0
    for at, one in enumerate(tall):
        height += one
        found = max(found, height)
        if lines[at]:
            height = 0.0
    return found


def _cut(rows: Sequence[Sequence[str]], tall: Sequence[float], goal: float, lines: Sequence[Lines]) -> list[Column]:
    found: list[Column] = []
    start = 0
    enters: Lines = ()
    while start < len(rows):
        end = _best_end(start, tall, goal, lines)
        leaves = lines[end] if end < len(rows) - 1 else ()
        found.append(Column(tuple(tuple(row) for row in rows[start : end + 1]), enters, leaves))
        start, enters = end + 1, leaves
    return found


def _best_end(start: int, tall: Sequence[float], goal: float, lines: Sequence[Lines]) -> int:
    """Where to break after ``start``: near the height aimed at, and where few lines lead on."""
    last = len(tall) - 1
    if sum(tall[start:]) <= 1.3 * goal:
        return last
    height, best, least = 0.0, last, math.inf
    for at in range(start, last - 1):
        height += tall[at]
        if not lines[at] or at - start + 1 < _SHORTEST:
            continue
        cost = abs(height - goal) / goal + _PER_LINE * (len(lines[at]) - 1)
        if cost < least:
            best, least = at, cost
        elif height > 2 * goal:
            break
    return best
