"""Where the values of a tensor are, and the range that its grid covers."""

from __future__ import annotations

import math

from markupsafe import Markup

from tfmobile.artifacts import LayerDiagnosis
from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg

_TOP, _HEIGHT, _FOOT = 20, 110, 24


def histogram(layer: LayerDiagnosis) -> Markup:
    """Counts on a log scale, so that rare values show; what lies outside the grid is shaded."""
    if not any(layer.histogram) or not layer.histogram_range[1] > layer.histogram_range[0]:
        return Markup("")
    return svg.responsive(lambda width: _draw(layer, width))


def _draw(layer: LayerDiagnosis, width: int) -> Markup:
    low = min(layer.histogram_range[0], layer.held[0], layer.range[0])
    high = max(layer.histogram_range[1], layer.held[1], layer.range[1])
    foot = _TOP + _HEIGHT
    most = math.log10(max(layer.histogram) + 1)

    def x(value: float) -> float:
        return (value - low) / (high - low) * width

    parts = [svg.text(0, 10, "Number of values, log scale", "tick")]
    if layer.scale:
        parts.append(svg.rect(x(layer.range[0]), _TOP, x(layer.range[1]) - x(layer.range[0]), _HEIGHT, "grid-range"))
    start, stop = layer.histogram_range
    step = (stop - start) / len(layer.histogram)
    for place, count in enumerate(layer.histogram):
        if count:
            left = start + place * step
            inside = not layer.scale or layer.range[0] - step <= left <= layer.range[1]
            tall = math.log10(count + 1) / most * (_HEIGHT - 6)
            tip = f"{formatting.significant(left)} to {formatting.significant(left + step)}: {count:,}"
            kind = "optimized" if inside else "worst"
            parts.append(svg.rect(x(left), foot - tall, max(x(left + step) - x(left) - 0.3, 0.8), tall, kind, tip))
    ends = ((layer.held[0], start), (stop, layer.held[1]))
    for (left, right), count in zip(ends, layer.outside, strict=True):
        if count and right > left:
            tip = f"{formatting.significant(left)} to {formatting.significant(right)}: {count:,} in all"
            tall = max(math.log10(count / max((right - left) / step, 1) + 1) / most * (_HEIGHT - 6), 2.0)
            parts.append(svg.rect(x(left), foot - tall, x(right) - x(left), tall, "typical optimized", tip))
    for edge in layer.range if layer.scale else ():
        parts.append(svg.line(x(edge), _TOP, x(edge), foot, "step"))
    for edge in layer.held:
        parts.append(svg.line(x(edge), foot - 8, x(edge), foot + 4, "late"))
    parts.append(svg.line(0, foot, width, foot, "axis"))
    parts.append(svg.text(0, foot + 17, formatting.significant(low), "tick"))
    parts.append(svg.text(width, foot + 17, formatting.significant(high), "tick", "end"))
    if low < 0 < high and 30 < x(0) < width - 30:
        parts.append(svg.text(x(0), foot + 17, "0", "tick", "middle"))
    label = (
        f"Values of {layer.name} from {layer.held[0]:.3g} to {layer.held[1]:.3g}; its grid reaches from "
        f"{layer.range[0]:.3g} to {layer.range[1]:.3g}."
    )
    return svg.drawing(width, foot + _FOOT, label, *parts)
