"""How the runs spread: for every setting, original above optimized on one time axis that starts at zero."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.artifacts import LatencyRow
from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg
from tfmobile.reporting.layers import clip
from tfmobile.reporting.selection import ORIGINAL, setting

MOST_SETTINGS = 4
_TITLE, _ROW, _TALL, _AXIS, _GAP = 22, 50, 26, 18, 16


def latency_distribution(rows: Sequence[LatencyRow]) -> Markup:
    """``rows`` with their single times; empty when there are none."""
    groups = by_setting(rows)[:MOST_SETTINGS]
    if not groups:
        return Markup("")
    return svg.responsive(lambda width: _draw(groups, width))


def by_setting(rows: Sequence[LatencyRow]) -> list[list[LatencyRow]]:
    """Rows that share threads and XNNPACK, in the order in which the settings appear."""
    groups: dict[tuple[int, bool], list[LatencyRow]] = {}
    for row in rows:
        if row.times_ms:
            groups.setdefault((row.threads, row.xnnpack), []).append(row)
    return list(groups.values())


def axis_end(rows: Sequence[LatencyRow]) -> float:
    """Milliseconds: beyond every 90th percentile, but not so far that one slow run flattens the rest."""
    return max(min(max(row.times_ms), row.p90_ms * 1.25) for row in rows) * 1.02 or 1.0


def histogram(times: Sequence[float], end: float, bins: int) -> list[int]:
    """Counts in ``bins`` equal bins from 0 to ``end``; what lies beyond is not counted."""
    counts = [0] * bins
    for value in times:
        if 0 <= value < end:
            counts[min(bins - 1, int(value / end * bins))] += 1
    return counts


def _draw(groups: Sequence[Sequence[LatencyRow]], width: int) -> Markup:
    parts: list[Markup] = []
    top = 0.0
    for group in groups:
        parts += _group(group, top, width)
        top += _TITLE + len(group) * _ROW + _AXIS + _GAP
    return svg.drawing(width, top - _GAP, _label(groups), *parts)


def _group(rows: Sequence[LatencyRow], top: float, width: int) -> list[Markup]:
    end = axis_end(rows)
    start, foot = top + _TITLE, top + _TITLE + len(rows) * _ROW
    marks = svg.ticks(0, end, max(3, width // 90))
    parts = [svg.text(0, top + 12, setting(rows[0].threads, rows[0].xnnpack), "strong")]
    parts += [svg.line(width * mark / end, start, width * mark / end, foot, "grid") for mark in marks]
    for index, row in enumerate(rows):
        parts += _row(row, start + index * _ROW, end, width)
    places = [(mark, width * mark / end) for mark in marks if width * mark / end < width - 24]
    parts += [
        svg.text(x, foot + 14, svg.tick_text(mark), "tick", "start" if mark == 0 else "middle") for mark, x in places
    ]
    return [*parts, svg.text(width, foot + 14, "ms", "tick", "end")]


def _row(row: LatencyRow, top: float, end: float, width: int) -> list[Markup]:
    kind = "original" if row.name == ORIGINAL else "optimized"
    base = top + _ROW - 4
    middle, late = width * row.p50_ms / end, min(width * row.p90_ms / end, float(width))
    tip = f"{row.name}: median {formatting.milliseconds(row.p50_ms)}, p90 {formatting.milliseconds(row.p90_ms)}"
    return [
        svg.text(0, top + 13, clip(row.name, (width - 130) // 7), "label"),
        svg.text(width, top + 13, f"median {formatting.milliseconds(row.p50_ms)}", "value", "end"),
        svg.rect(0, base - _TALL, middle, _TALL, f"{kind} typical", tip),
        svg.element("path", d=_outline(histogram(row.times_ms, end, width // 3), base, width), class_=kind),
        svg.line(0, base, width, base, "axis"),
        svg.line(middle, base - _TALL - 2, middle, base, "median"),
        svg.line(late, base - 6, late, base, "late"),
    ]


def _outline(counts: Sequence[int], base: float, width: int) -> str:
    """One filled box a bin."""
    peak, step = max(counts) or 1, width / len(counts)
    boxes = []
    for index, number in enumerate(counts):
        if number:
            height = _TALL * number / peak
            boxes.append(f"M{index * step:.1f} {base:.1f}v{-height:.1f}h{step:.1f}V{base:.1f}z")
    return "".join(boxes)


def _label(groups: Sequence[Sequence[LatencyRow]]) -> str:
    medians = "; ".join(
        f"{row.name}, {setting(row.threads, row.xnnpack)}: median {formatting.milliseconds(row.p50_ms)}"
        for group in groups
        for row in group
    )
    return f"Distribution of the time of one inference. {medians}."
