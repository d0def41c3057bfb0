"""How the runs spread: a histogram a model and setting, all on one time axis, with median and 90th percentile."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.artifacts import LatencyRow
from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg
from tfmobile.reporting.selection import ORIGINAL, setting

MOST = 8
_ROW, _TALL, _TOP = 66, 38, 20


def latency_distribution(rows: Sequence[LatencyRow]) -> Markup:
    """``rows`` with their single times; those without any are left out."""
    shown = [row for row in rows if row.times_ms][:MOST]
    if not shown:
        return Markup("")
    return svg.responsive(lambda width: _draw(shown, width))


def axis_end(rows: Sequence[LatencyRow]) -> float:
    """Milliseconds: a little beyond every 99th percentile, so that one slow run does not flatten the rest."""
    return max(min(max(row.times_ms), max(row.p99_ms, row.p50_ms) * 1.15) for row in rows) * 1.02 or 1.0


def histogram(times: Sequence[float], end: float, bins: int) -> list[int]:
    """Counts in ``bins`` equal bins from 0 to ``end``; what lies beyond is not counted."""
    counts = [0] * bins
    for value in times:
        if 0 <= value < end:
            counts[int(value / end * bins)] += 1
    return counts


def _draw(rows: Sequence[LatencyRow], width: int) -> Markup:
    end = axis_end(rows)
    height = len(rows) * _ROW
    marks = svg.ticks(0, end, max(3, width // 90))
    parts = [svg.line(_x(mark, end, width), _TOP, _x(mark, end, width), height, "grid") for mark in marks]
    for index, row in enumerate(rows):
        parts += _row(row, index * _ROW, end, width)
    parts += [
        svg.text(
            _x(mark, end, width), height + 15, svg.tick_text(mark), "tick", "start" if mark == 0 else "middle"
        )
        for mark in marks
        if _x(mark, end, width) < width - 24
    ]
    parts.append(svg.text(width, height + 15, "ms", "tick", "end"))
    return svg.drawing(width, height + 20, _label(rows), *parts)


def _row(row: LatencyRow, top: float, end: float, width: int) -> list[Markup]:
    bins = width // 4
    counts = histogram(row.times_ms, end, bins)
    peak = max(counts) or 1
    base = top + _TOP + _TALL
    step = width / bins
    kind = "original" if row.name == ORIGINAL else "optimized"
    steps = "".join(
        f"L{index * step:.1f} {base - _TALL * number / peak:.1f}H{(index + 1) * step:.1f}" + ("" if _next(counts, index) else f"V{base:.1f}")
        for index, number in enumerate(counts)
        if number
    )
    shape = svg.element("path", d=f"M0 {base:.1f}{_anchored(steps, base)}", class_=f"{kind} area")
    middle, late = _x(row.p50_ms, end, width), min(_x(row.p90_ms, end, width), width)
    return [
        svg.text(0, top + 13, _name(row, width), "label"),
        svg.text(width, top + 13, f"median {formatting.milliseconds(row.p50_ms)}", "value", "end"),
        shape,
        svg.line(0, base, width, base, "axis"),
        svg.line(middle, base - _TALL, middle, base + 4, "median"),
        svg.line(late, base - 5, late, base + 4, "late"),
    ]


def _next(counts: Sequence[int], index: int) -> bool:
    return index + 1 < len(counts) and counts[index + 1] > 0


def _anchored(steps: str, base: float) -> str:
    """Go to the foot of each run of bins before climbing it, so that gaps between them stay empty."""
    pieces = []
    for piece in steps.split("L")[1:]:
        x, _, rest = piece.partition(" ")
        level, _, right = rest.partition("H")
        foot = f"H{x}" if not pieces or pieces[-1].endswith(f"V{base:.1f}") else ""
        pieces.append(f"{foot}V{level}H{right}")
    return "".join(pieces)


def _name(row: LatencyRow, width: int) -> str:
    long = f"{row.name} · {setting(row.threads, row.xnnpack)}"
    short = f"{row.name} · {row.threads}T, {'XNN' if row.xnnpack else 'no XNN'}"
    return long if len(long) * 6.6 < width - 120 else short


def _x(value: float, end: float, width: int) -> float:
    return width * value / end


def _label(rows: Sequence[LatencyRow]) -> str:
    medians = "; ".join(
        f"{row.name}, {setting(row.threads, row.xnnpack)}: median {formatting.milliseconds(row.p50_ms)}" for row in rows
    )
    return f"Distribution of the time of one inference. {medians}."
