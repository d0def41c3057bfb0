"""Horizontal places: each box as near to its neighbours as the others in its rank allow.

Least squares with a fixed order and least distances is an isotonic regression, solved by pooling adjacent violators
(Ayer et al. 1955). Edges between boxes weigh most, so that the main path is straight; then come long lines beside it;
where these begin and end weighs least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SWEEPS = 12
_BOXES, _MIXED, _LINES = 100.0, 0.02, 8.0
Links = Sequence[Sequence[int]]


def positions(
    rows: Sequence[Sequence[int]], above: Links, below: Links, width: Mapping[int, float], lines: set[int], gap: float
) -> dict[int, float]:
    """The centre of each number; ``width`` is that of a box, and of a line for the numbers in ``lines``."""
    found: dict[int, float] = {}
    for row in rows:
        left = 0.0
        for one in row:
            found[one] = left + width[one] / 2
            left += width[one] + gap
    for sweep in range(_SWEEPS):
        last = sweep >= _SWEEPS - 2
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            neighbours = [[*above[one], *below[one]] if last else (above[one] if down else below[one]) for one in row]
            _place(row, neighbours, width, lines, gap, found)
    return found


def _place(
    row: Sequence[int],
    neighbours: Links,
    width: Mapping[int, float],
    lines: set[int],
    gap: float,
    found: dict[int, float],
) -> None:
    shift = 0.0
    wanted, weights, shifts = [], [], []
    for number, one in enumerate(row):
        if number:
            before = row[number - 1]
            shift += (width[before] + width[one]) / 2 + gap
        pulls = [(_weight(one in lines, other in lines), found[other]) for other in neighbours[number]]
        weight = sum(pull for pull, _ in pulls)
        centre = sum(pull * place for pull, place in pulls) / weight if weight else found[one]
        wanted.append(centre - shift)
        weights.append(weight or 1e-3)
        shifts.append(shift)
    for one, place, moved in zip(row, isotonic(wanted, weights), shifts, strict=True):
        found[one] = place + moved


def _weight(line: bool, other: bool) -> float:
    if line and other:
        return _LINES
    return _MIXED if line or other else _BOXES


def isotonic(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nondecreasing sequence nearest to ``wanted``."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        mean, total, count = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, many = blocks.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = total + heavy, count + many
        blocks.append((mean, total, count))
    return [mean for mean, _, count in blocks for _ in range(count)]
