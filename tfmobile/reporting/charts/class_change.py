"""What every class gained or lost: bars to the right and left of zero; the largest movers when there are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from tfmobile.artifacts import ClassAccuracy
from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg
from tfmobile.reporting.layers import clip

ALL = 20
"""Up to this many classes all are shown, else the MOVERS largest losses and gains."""
MOVERS = 8
FEW = 10
"""With fewer samples a class (median), the unit is samples: points of one sample would mislead."""
_ROW = 24


@dataclass(frozen=True)
class ClassChange:
    """Correct answers of one class, of ``count`` samples."""

    name: str
    count: int
    before: int
    after: int

    @property
    def points(self) -> float:
        """Change of the class's accuracy in points."""
        return 100 * (self.after - self.before) / self.count


def class_changes(before: Sequence[ClassAccuracy], after: Sequence[ClassAccuracy]) -> list[ClassChange]:
    """Classes that occur in the data, paired by label."""
    found = {one.label: one for one in after}
    return [
        ClassChange(_name(one), one.count, one.correct, found[one.label].correct)
        for one in before
        if one.label in found and one.count > 0
    ]


def _name(one: ClassAccuracy) -> str:
    """A bare number is no name."""
    return f"class {one.label}" if one.name in ("", str(one.label)) else one.name


def in_points(changes: Sequence[ClassChange]) -> bool:
    """Whether classes are large enough to speak of points."""
    return bool(changes) and median(change.count for change in changes) >= FEW


def movers(changes: Sequence[ClassChange]) -> list[ClassChange]:
    """All classes, or the largest losses and gains, losses first."""
    key = _key(in_points(changes))
    ordered = sorted(changes, key=key)
    if len(changes) <= ALL:
        return ordered
    lost = [change for change in ordered[:MOVERS] if key(change) < 0]
    gained = [change for change in ordered[-MOVERS:] if key(change) > 0]
    return lost + gained


def _key(points: bool) -> Callable[[ClassChange], float]:
    return (lambda change: change.points) if points else (lambda change: change.after - change.before)


def class_change(changes: Sequence[ClassChange]) -> Markup:
    """Empty when no class changed."""
    shown = movers(changes)
    if not any(change.before != change.after for change in shown):
        return Markup("")
    return svg.responsive(lambda width: _draw(shown, in_points(changes), width))


def _draw(changes: Sequence[ClassChange], points: bool, width: int) -> Markup:
    key = _key(points)
    left = round(width * 0.34)
    centre = left + (width - left) / 2
    reach = max(abs(key(change)) for change in changes)
    scale = ((width - left) / 2 - 56) / reach
    height = len(changes) * _ROW
    parts = [svg.line(centre, 0, centre, height, "axis")]
    for index, change in enumerate(changes):
        parts += _bar(change, key(change) * scale, index * _ROW, left, centre, points)
    return svg.drawing(width, height + 4, _label(changes, points), *parts)


def _bar(change: ClassChange, length: float, top: float, left: float, centre: float, points: bool) -> list[Markup]:
    kind = "loss" if length < 0 else "gain"
    tip = f"{change.name}: {change.before} → {change.after} right of {change.count}"
    end, anchor = (centre + length - 5, "end") if length < 0 else (centre + length + 5, "start")
    bar = [svg.rect(min(centre, centre + length), top + 5, abs(length), 14, kind, tip)] if length else []
    return [
        svg.text(0, top + 16, clip(change.name, int(left / 6.9)), "label"),
        *bar,
        svg.text(end, top + 16, _amount(change, points), "value", anchor),
    ]


def _amount(change: ClassChange, points: bool) -> str:
    if points:
        return formatting.signed(change.points, 1)
    return f"{formatting.signed(change.after - change.before, 0)} of {change.count}"


def _label(changes: Sequence[ClassChange], points: bool) -> str:
    first, last = changes[0], changes[-1]
    unit = "points" if points else "samples"
    return (
        f"Change of correct answers by class, in {unit}: from {_amount(first, points)} ({first.name}) "
        f"to {_amount(last, points)} ({last.name})."
    )
