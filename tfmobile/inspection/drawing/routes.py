"""Lines between boxes: where they leave and enter, and their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tfmobile.inspection.drawing.positions import isotonic

Point: TypeAlias = "tuple[float, float]"
Path: TypeAlias = "list[Point]"
"""Points in pairs: the line is straight within a pair, and bends from one pair to the next."""

_APART, _MARGIN = 9.0, 14.0
CORNER = 10.0

_ARROW = 5.0


def ports(box: int, others: Sequence[int], x: Mapping[int, float], width: float) -> dict[int, float]:
    """Where the lines to ``others`` touch the box: in the middle when there is one, else each towards its other end."""
    if len(others) == 1:
        return {others[0]: x[box]}
    room = max(width / 2 - _MARGIN, 0.0)
    apart = min(_APART, 2 * room / max(len(others) - 1, 1))
    ordered = sorted(others, key=x.__getitem__)
    wanted = [min(max(x[other] - x[box], -room), room) - apart * place for place, other in enumerate(ordered)]
    placed = [value + apart * place for place, value in enumerate(isotonic(wanted, [1.0] * len(wanted)))]
    too_far = max(max(placed) - room, 0.0) + min(min(placed) + room, 0.0)
    return {other: x[box] + place - too_far for other, place in zip(ordered, placed, strict=True)}


def svg(path: Sequence[Point], before: str = "") -> str:
    """The path of an SVG, with room for the arrow's head at its end; it goes on from the path ``before``."""
    (x, above), (_, below) = path[-2:]
    return bent([*path[:-2], (x, min(above, below - _ARROW)), (x, below - _ARROW)], before)


def bent(points: Sequence[Point], before: str = "") -> str:
    """The same up to the last point itself."""
    parts = [before or f"M{_at(points[0])}"]
    for place, point in enumerate(points[1:], start=1):
        start = points[place - 1]
        if place % 2 or abs(start[0] - point[0]) < 0.5:
            if start != point:
                parts.append(f"L{_at(point)}")
        else:
            middle = (start[1] + point[1]) / 2
            parts.append(f"C{_at((start[0], middle))} {_at((point[0], middle))} {_at(point)}")
    return " ".join(parts)


def connector(foot: Point, gutter: float, head: Point) -> str:
    """From a point above ``foot`` down to it, through the gutter beside the column, and to a point below ``head``."""
    return cornered(
        [(foot[0], foot[1] - CORNER), foot, (gutter, foot[1]), (gutter, head[1]), head, (head[0], head[1] + CORNER)]
    )


def loop(source: Point, below: float, gutter: float, above: float, target: Point) -> str:
    """From the foot of a box around to the head of one above it, between the rows and through the gutter."""
    path = [source, (source[0], below), (gutter, below), (gutter, above), (target[0], above)]
    return f"M{_at(source)} {cornered([*path, (target[0], target[1] - _ARROW)])}"


def cornered(points: Sequence[Point]) -> str:
    """Straight lines with round corners; it goes on from the first point."""
    parts = []
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{_at(start)} Q{_at(corner)} {_at(end)}")
    return " ".join([*parts, f"L{_at(points[-1])}"])


def _towards(start: Point, end: Point) -> Point:
    """A corner's radius from ``start`` on the way to ``end``, or half of the way when that is shorter."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = max(abs(across), abs(down))
    part = min(CORNER / length, 0.5) if length else 0.0
    return start[0] + across * part, start[1] + down * part


def _at(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
