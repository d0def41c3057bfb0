"""Error along the depth of the model: signal to noise of every layer as a line, its part of the damage as a bar."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.artifacts import LayerDiagnosis
from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg
from tfmobile.reporting.diagnosis.wording import worst_layers

NUMBERED = 3
_LEFT, _RIGHT, _TOP, _LINE, _GAP, _BARS, _FOOT = 34, 10, 22, 150, 30, 84, 22


def depth(layers: Sequence[LayerDiagnosis]) -> Markup:
    """``layers`` in execution order; empty gives no plot."""
    if len(layers) < 2:
        return Markup("")
    return svg.responsive(lambda width: _draw(layers, width))


def _draw(layers: Sequence[LayerDiagnosis], width: int) -> Markup:
    inner = width - _LEFT - _RIGHT
    xs = [_LEFT + inner * (index + 0.5) / len(layers) for index in range(len(layers))]
    base = _TOP + _LINE + _GAP
    ranks = {layer.name: place for place, layer in enumerate(worst_layers(layers, NUMBERED), 1)}
    parts = [
        *_line(layers, xs, width),
        *_bars(layers, xs, base, inner / len(layers), ranks, width),
        svg.text(_LEFT, base + _BARS + 16, "first layer", "tick"),
        svg.text(width, base + _BARS + 16, f"last of {len(layers)}", "tick", "end"),
    ]
    return svg.drawing(width, base + _BARS + _FOOT, _label(layers), *parts)


def _line(layers: Sequence[LayerDiagnosis], xs: Sequence[float], width: int) -> list[Markup]:
    shown = [min(layer.sqnr_db, 60.0) for layer in layers]
    low, high = min(0.0, *shown), max(10.0, *shown) * 1.05
    bottom = _TOP + _LINE

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * _LINE

    marks = svg.ticks(low, high, 4)
    parts = [svg.text(0, 10, "Signal to noise in dB, higher is better", "tick")]
    parts += [svg.line(_LEFT, y(mark), width, y(mark), "axis" if mark == 0 else "grid") for mark in marks]
    parts += [svg.text(_LEFT - 6, y(mark) + 4, svg.tick_text(mark), "tick", "end") for mark in marks]
    path = "".join(
        f"{'L' if index else 'M'}{x:.1f} {y(value):.1f}" for index, (x, value) in enumerate(zip(xs, shown, strict=True))
    )
    parts.append(svg.element("path", d=path, class_="optimized stroke"))
    for layer, x, value in zip(layers, xs, shown, strict=True):
        tip = svg.element("title", f"{layer.name} ({layer.op}): {formatting.decibels(layer.sqnr_db)}")
        radius = 3.0 if len(layers) <= 60 else 1.5
        parts.append(svg.element("circle", tip, cx=x, cy=y(value), r=radius, class_="optimized"))
    return parts


def _bars(
    layers: Sequence[LayerDiagnosis],
    xs: Sequence[float],
    top: float,
    step: float,
    ranks: dict[str, int],
    width: int,
) -> list[Markup]:
    most = max((layer.share for layer in layers), default=0.0) or 1.0
    foot = top + _BARS
    parts = [svg.text(0, top - 10, "Part of the damage", "tick")]
    for mark in (most / 2, most):
        height = foot - mark / most * (_BARS - 16)
        parts.append(svg.line(_LEFT, height, width, height, "grid"))
        parts.append(svg.text(_LEFT - 6, height + 4, formatting.percent(mark, 0), "tick", "end"))
    for layer, x in zip(layers, xs, strict=True):
        tall = layer.share / most * (_BARS - 16)
        place = ranks.get(layer.name)
        if tall > 0.3:
            tip = f"{layer.name} ({layer.op}): {formatting.percent(layer.share)} of the damage"
            kind = "worst" if place else "optimized"
            wide = max(min(step * 0.7, 16.0), 1.0)
            parts.append(svg.rect(x - wide / 2, foot - tall, wide, tall, kind, tip))
        if place:
            parts.append(svg.text(x, foot - tall - 4, str(place), "small strong", "middle"))
    parts.append(svg.line(_LEFT, foot, width, foot, "axis"))
    return parts


def _label(layers: Sequence[LayerDiagnosis]) -> str:
    worst = worst_layers(layers, 1)
    words = f"Signal to noise of the outputs of {len(layers)} layers in execution order, and their part of the damage."
    if worst:
        words += f" Most comes from {worst[0].name}: {formatting.percent(worst[0].share)}."
    return words
