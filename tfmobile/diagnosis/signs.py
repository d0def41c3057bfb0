"""What a cause gives when it is there: how pronounced, in words, and the fix."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Sign:
    """``strength`` 0 to 1: how pronounced; ``what``: one sentence with the numbers.

    ``remedies``: improvements of recipes that are made for it; ``fix``: what else to do, without its full stop.
    ``impact``: in place of the layer's own, where the harm shows elsewhere.
    """

    strength: float
    what: str
    fix: str = ""
    remedies: tuple[str, ...] = ()
    impact: float | None = None


def leave_float(name: str) -> str:
    """The fix that always works, and costs time."""
    return f"leave '{name}' float (precision in the recipe)"


def ramp(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on, by the logarithm between them."""
    if not value > low:
        return 0.0
    return min(1.0, math.log(value / low) / math.log(high / low)) if math.isfinite(value) else 1.0


def number(value: float) -> str:
    """Three significant digits, the true minus."""
    text = f"{value:.3g}"
    if "e" in text and 1e-4 < abs(value) < 1e7:
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.6f}".rstrip("0")
    return text.replace("-", "−")


def span(bounds: tuple[float, float]) -> str:
    """``−1 … 6``."""
    return f"{number(bounds[0])} … {number(bounds[1])}"


def percent(fraction: float) -> str:
    """``3.1 %``; two digits are enough."""
    return f"{100 * fraction:.2g} %" if fraction < 0.995 else f"{100 * fraction:.0f} %"
