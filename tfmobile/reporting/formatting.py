"""Numbers as people read them: fixed significant digits, SI bytes, points versus percent, a true minus sign.

Every function takes the plain number (bytes, milliseconds, a fraction of 1) and returns text; a number that is not
finite becomes ``–``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from tfmobile.artifacts import Interval

DASH = "–"
_UNITS = ("B", "kB", "MB", "GB")


def significant(value: float, digits: int = 3) -> str:
    """``value`` with that many significant digits, never in exponent form; integers above them stay whole."""
    if not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) >= 10 ** (digits - decimals) and decimals:  # 9.996 rounds up to 10.00
        text = f"{value:,.{decimals - 1}f}"
    return text.replace("-", "−")


def size(count: float) -> str:
    """Bytes in SI units: 584 kB, 1.90 MB."""
    if not math.isfinite(count):
        return DASH
    power = 0
    while abs(count) >= 999.5 and power < len(_UNITS) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.0f} B" if power == 0 else f"{significant(count)} {_UNITS[power]}"


def milliseconds(value: float) -> str:
    """A latency with three significant digits: 0.912 ms, 12.3 ms, 1.24 s."""
    if not math.isfinite(value):
        return DASH
    return f"{significant(value / 1000)} s" if value >= 999.5 else f"{significant(value)} ms"


def seconds(value: float) -> str:
    """A duration of work: 0.05 s, 6.2 s, 1 min 12 s."""
    if not math.isfinite(value):
        return DASH
    if value >= 60:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction as percent: 64.6 %."""
    return f"{100 * fraction:.{decimals}f} %".replace("-", "−") if math.isfinite(fraction) else DASH


def signed(value: float, decimals: int) -> str:
    """With its sign, the true minus, and no sign on what rounds to zero."""
    if not math.isfinite(value):
        return DASH
    text = f"{value:+.{decimals}f}".replace("-", "−")
    return text[1:] if not text[1:].strip("0.") else text


def signed_significant(value: float, digits: int = 3) -> str:
    """Like ``significant``, with a sign."""
    if not math.isfinite(value):
        return DASH
    return ("+" if value > 0 else "") + significant(value, digits)


def points(fraction: float) -> str:
    """A difference of two percentages, without the word: −0.4."""
    return signed(100 * fraction, 1)


def times(ratio: float) -> str:
    """A ratio: 3.3×, 12×."""
    if not math.isfinite(ratio):
        return DASH
    return f"{ratio:.0f}×" if ratio >= 9.95 else f"{ratio:.1f}×" if ratio >= 1.15 else f"{ratio:.2f}×"


def small(value: float | None) -> str:
    """A numerical difference over many magnitudes: 0, 3.1e−7, 0.0042."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return significant(value, 2 if abs(value) < 10 else 3)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def decibels(value: float | None) -> str:
    """A signal-to-noise ratio; infinite means exact."""
    if value is None or math.isnan(value):
        return DASH
    return "exact" if math.isinf(value) else f"{value:.1f} dB".replace("-", "−")


def count(number: int, singular: str, plural: str = "") -> str:
    """``1 sample``, ``1,200 samples``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def shape(dims: Iterable[int | None]) -> str:
    """``1 × 224 × 224 × 3``; a scalar is ``scalar``."""
    return " × ".join("?" if dim is None else str(dim) for dim in dims) or "scalar"


def percent_range(interval: Interval) -> str:
    """``61.0 to 69.2 %``."""
    return f"{100 * interval.low:.1f} to {percent(interval.high)}".replace("-", "−")


def points_range(interval: Interval) -> str:
    """``−1.6 to +0.8``."""
    return f"{points(interval.low)} to {points(interval.high)}"


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *head, last = [*words] or [""]
    return f"{', '.join(head)} and {last}" if head else last
