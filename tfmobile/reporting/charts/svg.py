"""SVG elements as escaped markup, axis ticks, and the frame that shows the wide or the narrow drawing by page width."""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup, escape

WIDE, NARROW = 508, 312
"""Drawing widths in CSS pixels; text is set at 12 px in both, so that a phone does not shrink it."""

Draw = Callable[[int], Markup]


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """One element. A trailing underscore of a name goes, others become hyphens; None leaves the attribute out."""
    pairs = (
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _number(value))
        for name, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(escape(tag)), Markup("").join(pairs), Markup("").join(children))


def _number(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def rect(x: float, y: float, width: float, height: float, class_: str, title: str = "", **more: float) -> Markup:
    """A bar, never narrower than what can be seen, with a tooltip."""
    tip = [element("title", title)] if title else []
    return element(
        "rect", *tip, x=float(x), y=float(y), width=max(float(width), 0.75), height=float(height), class_=class_, **more
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start", **more: str) -> Markup:
    """A label; ``anchor`` is start, middle or end."""
    place = None if anchor == "start" else anchor
    return element("text", content, x=float(x), y=float(y), class_=class_ or None, text_anchor=place, **more)


def drawing(width: int, height: float, label: str, *children: str) -> Markup:
    """The SVG; ``label`` is what a screen reader says instead."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {width} {math.ceil(height)}",
        width=str(width),
        height=str(math.ceil(height)),
        role="img",
        aria_label=label,
    )


def responsive(draw: Draw) -> Markup:
    """Both drawings; the style sheet shows one of them."""
    return Markup('<div class="chart wide">{}</div><div class="chart narrow">{}</div>').format(draw(WIDE), draw(NARROW))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, spaced by 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power: float = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def tick_text(value: float) -> str:
    """A tick without trailing zeros, with the true minus."""
    return f"{value:g}".replace("-", "−")
