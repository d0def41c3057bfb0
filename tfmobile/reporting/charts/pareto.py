"""Candidates of a search: what they cost against what they lose; those that no other one beats are joined."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tfmobile.artifacts import Interval
from tfmobile.reporting.charts import svg

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 260, 40, 26, 22, 40
_APART = 12
_FAR = 4.0
"""Losses beyond so many times the allowance are drawn at the upper edge: how bad a bad one is does not matter."""


@dataclass(frozen=True)
class Point:
    """One candidate. ``number``: its row in the table; ``loss`` in the unit of the axis."""

    number: int
    name: str
    cost: float
    loss: Interval
    within: bool
    best: bool
    chosen: bool


def pareto(points: Sequence[Point], most: float, axis: str, unit: str, tell: Callable[[float], str]) -> Markup:
    """``most``: the allowance, drawn as a line. ``axis`` names the costs, ``unit`` the losses."""
    if not points:
        return Markup("")
    return svg.responsive(lambda width: _Drawing(points, most, width, axis, unit, tell).draw())


class _Drawing:
    def __init__(
        self, points: Sequence[Point], most: float, width: int, axis: str, unit: str, tell: Callable[[float], str]
    ) -> None:
        self._points, self._most, self._width = points, most, width
        self._axis, self._unit, self._tell = axis, unit, tell
        costs = [point.cost for point in points]
        spread = (max(costs) - min(costs)) or max(costs) or 1.0
        self._left, self._right = max(0.0, min(costs) - 0.12 * spread), max(costs) + 0.12 * spread
        self._far = max(_FAR * most, 1e-9)
        shown = [value for point in points for value in (point.loss.low, point.loss.high) if math.isfinite(value)]
        self._low = max(min(0.0, *shown), -self._far / 2)
        self._high = min(max(1.6 * most, *shown, 1e-9), self._far)

    def draw(self) -> Markup:
        parts = [*self._axes(), *self._frontier()]
        for point in self._points:
            parts += self._mark(point)
        return svg.drawing(self._width, _HEIGHT, self._label(), *parts, *self._numbers())

    def _x(self, cost: float) -> float:
        return _LEFT + (cost - self._left) / (self._right - self._left) * (self._width - _LEFT - _RIGHT)

    def _y(self, loss: float) -> float:
        share = (min(max(loss, self._low), self._high) - self._low) / (self._high - self._low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    def _axes(self) -> list[Markup]:
        bottom = _HEIGHT - _BOTTOM
        parts = [svg.text(0, 10, f"{self._unit}, lower is better", "tick")]
        for mark in svg.ticks(self._low, self._high, 5):
            parts.append(svg.line(_LEFT, self._y(mark), self._width, self._y(mark), "axis" if mark == 0 else "grid"))
            parts.append(svg.text(_LEFT - 6, self._y(mark) + 4, svg.tick_text(mark), "tick", "end"))
        parts.append(svg.line(_LEFT, self._y(self._most), self._width, self._y(self._most), "allowance"))
        parts.append(svg.text(self._width, self._y(self._most) - 5, "allowed", "tick", "end"))
        for mark in svg.ticks(self._left, self._right, 4):
            parts.append(svg.text(self._x(mark), bottom + 16, self._tell(mark), "tick", "middle"))
        parts.append(svg.text(self._width, _HEIGHT - 6, f"{self._axis}, smaller is better", "tick", "end"))
        return parts

    def _frontier(self) -> list[Markup]:
        best = sorted(
            (point for point in self._points if point.best), key=lambda point: (point.cost, -point.loss.value)
        )
        if len(best) < 2:
            return []
        places = [(self._x(point.cost), self._y(point.loss.value)) for point in best]
        path = "".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(places))
        return [svg.element("path", d=path, class_="frontier")]

    def _mark(self, point: Point) -> list[Markup]:
        x, y = self._x(point.cost), self._y(point.loss.value)
        kind = "gain" if point.within else "loss"
        tip = svg.element(
            "title", f"{point.name}: {self._tell(point.cost)}, {svg.tick_text(round(point.loss.value, 3))}"
        )
        parts = [svg.line(x, self._y(point.loss.low), x, self._y(point.loss.high), "whisker")]
        if point.chosen:
            parts.append(svg.element("circle", cx=x, cy=y, r=9.0, class_="chosen"))
        parts.append(svg.element("circle", tip, cx=x, cy=y, r=4.5, class_=kind))
        return parts

    def _numbers(self) -> list[Markup]:
        """Beside the points, moved apart where they would overlap."""
        taken: list[tuple[float, float]] = []
        parts = []
        for point in sorted(self._points, key=lambda one: -one.loss.value):
            x, y = self._x(point.cost) + 11, self._y(point.loss.value) + 4
            while any(abs(x - a) < 2 * _APART and abs(y - b) < _APART for a, b in taken):
                y += 1
            taken.append((x, y))
            parts.append(svg.text(x, y, str(point.number), "small"))
        return parts

    def _label(self) -> str:
        within = sum(point.within for point in self._points)
        chosen = next((point.name for point in self._points if point.chosen), "none")
        return (
            f"{len(self._points)} candidates by {self._axis} and {self._unit}; {within} within what is allowed. "
            f"Chosen: {chosen}. The numbers are in the table."
        )
