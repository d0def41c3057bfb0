"""Signal-to-noise ratio of every layer's output along the depth of the model, the worst three numbered."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.artifacts import LayerError
from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg

WORST = 3
_HEIGHT, _LEFT, _TOP, _BOTTOM = 230, 34, 22, 34


def worst_layers(errors: Sequence[LayerError]) -> tuple[LayerError, ...]:
    """The layers with the lowest finite ratio, lowest first."""
    finite = [error for error in errors if math.isfinite(error.snr_db)]
    return tuple(sorted(finite, key=lambda error: error.snr_db)[:WORST])


def layer_error(errors: Sequence[LayerError]) -> Markup:
    """``errors`` in execution order; an exact layer (infinite ratio) is drawn at the top."""
    if not any(math.isfinite(error.snr_db) for error in errors):
        return Markup("")
    return svg.responsive(lambda width: _draw(errors, width))


def _draw(errors: Sequence[LayerError], width: int) -> Markup:
    finite = [error.snr_db for error in errors if math.isfinite(error.snr_db)]
    low, high = min(0.0, *finite), max(10.0, *finite) * 1.08
    bottom = _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        share = 1.0 if value == math.inf else 0.0 if not math.isfinite(value) else (value - low) / (high - low)
        return bottom - share * (bottom - _TOP)

    xs = [_LEFT + (width - _LEFT - 10) * (index + 0.5) / len(errors) for index in range(len(errors))]
    path = "".join(
        f"{'L' if index else 'M'}{x:.1f} {y(error.snr_db):.1f}"
        for index, (x, error) in enumerate(zip(xs, errors, strict=True))
    )
    marks = svg.ticks(low, high, 5)
    parts = [svg.line(_LEFT, y(mark), width, y(mark), "axis" if mark == 0 else "grid") for mark in marks]
    parts += [svg.text(_LEFT - 6, y(mark) + 4, svg.tick_text(mark), "tick", "end") for mark in marks]
    parts += [svg.text(0, 10, "dB, higher is better", "tick"), *_ends(errors, width)]
    parts.append(svg.element("path", d=path, class_="optimized stroke"))
    parts += _dots(errors, xs, [y(error.snr_db) for error in errors])
    return svg.drawing(width, _HEIGHT, _label(errors), *parts)


def _ends(errors: Sequence[LayerError], width: int) -> list[Markup]:
    return [
        svg.text(_LEFT, _HEIGHT - 12, "first layer", "tick"),
        svg.text(width, _HEIGHT - 12, f"last of {len(errors)}", "tick", "end"),
    ]


def _dots(errors: Sequence[LayerError], xs: Sequence[float], ys: Sequence[float]) -> list[Markup]:
    worst = worst_layers(errors)
    rank = {id(error): place for place, error in enumerate(worst, 1)}
    parts = []
    for error, x, y in zip(errors, xs, ys, strict=True):
        place = rank.get(id(error))
        tip = svg.element("title", f"{error.name} ({error.op}): {formatting.decibels(error.snr_db)}")
        radius = 8.0 if place else (3.0 if len(errors) <= 60 else 1.5)
        kind = "optimized" if place is None else "worst"
        parts.append(svg.element("circle", tip, cx=x, cy=y, r=radius, class_=kind))
        if place:
            parts.append(svg.text(x, y + 4, str(place), "on-accent", "middle"))
    return parts


def _label(errors: Sequence[LayerError]) -> str:
    lowest = worst_layers(errors)[0]
    return (
        f"Signal-to-noise ratio of the output of {len(errors)} layers in execution order. "
        f"The lowest is {formatting.decibels(lowest.snr_db)} at {lowest.name}."
    )
