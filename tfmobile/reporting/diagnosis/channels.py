"""How far each channel reaches, largest first on a log scale, against the step that all of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg

MOST_BARS = 96
DECADES = 4.0
_LEFT, _TOP, _HEIGHT, _FOOT = 40, 20, 110, 22


def channels(values: Sequence[float], step: float, what: str) -> Markup:
    """``values``: the largest absolute value of each channel; ``step``: of the grid they share, 0 for one a channel."""
    if len(values) < 2 or not max(values) > 0:
        return Markup("")
    ordered = sorted(enumerate(values), key=lambda row: -row[1])
    return svg.responsive(lambda width: _draw(_thinned(ordered), len(values), step, what, width))


def _thinned(ordered: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Evenly among the ordered ones, the first and the last included."""
    if len(ordered) <= MOST_BARS:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(place * last / (MOST_BARS - 1))] for place in range(MOST_BARS)]


def _draw(rows: Sequence[tuple[int, float]], count: int, step: float, what: str, width: int) -> Markup:
    top = rows[0][1]
    bottom = max(top * 10**-DECADES, min([value for _, value in rows if value > 0] + ([step] if step else [])) / 2)
    foot = _TOP + _HEIGHT
    high, low = math.log10(top) + 0.05, math.log10(bottom)

    def y(value: float) -> float:
        share = (math.log10(max(value, bottom)) - low) / (high - low)
        return foot - min(share, 1.0) * _HEIGHT

    shared = step if step and bottom < step < top else 0.0
    note = f"; dashed: one step, {formatting.significant(step)}" if shared else ""
    parts = [svg.text(0, 10, f"{what}, log scale{note}", "tick")]
    for power in range(math.ceil(low), math.floor(high) + 1):
        parts.append(svg.line(_LEFT, y(10.0**power), width, y(10.0**power), "grid"))
        parts.append(svg.text(_LEFT - 6, y(10.0**power) + 4, svg.tick_text(10.0**power), "tick", "end"))
    wide = (width - _LEFT) / len(rows)
    for place, (channel, value) in enumerate(rows):
        if value > bottom:
            tip = f"channel {channel}: {formatting.significant(value)}"
            x = _LEFT + place * wide
            parts.append(svg.rect(x, y(value), max(wide * 0.75, 0.8), foot - y(value), "optimized", tip))
    if shared:
        parts.append(svg.line(_LEFT, y(shared), width, y(shared), "step"))
    parts.append(svg.line(_LEFT, foot, width, foot, "axis"))
    parts.append(svg.text(_LEFT, foot + 15, "largest first", "tick"))
    parts.append(svg.text(width, foot + 15, formatting.count(count, "channel"), "tick", "end"))
    label = f"{what} of {count} channels, largest first: from {top:.3g} down to {rows[-1][1]:.3g}."
    return svg.drawing(width, foot + _FOOT, label, *parts)
