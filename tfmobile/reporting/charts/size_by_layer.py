"""Bytes of weights by layer: a pair of bars each, largest first, the small ones together at the end."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.reporting import formatting
from tfmobile.reporting.charts import svg
from tfmobile.reporting.layers import LayerSize, clip, short_names

TOP = 11
_ROW, _BAR = 37, 7


def size_by_layer(layers: Sequence[LayerSize]) -> Markup:
    """``layers`` in execution order; empty gives no plot."""
    if not layers:
        return Markup("")
    rows = _rows(layers)
    return svg.responsive(lambda width: _draw(rows, width, len(layers)))


Row = tuple[str, str, float, float]


def _rows(layers: Sequence[LayerSize]) -> list[Row]:
    """Short name, full name, original bytes, optimized bytes."""
    names = short_names([layer.name for layer in layers])
    rows = [
        (name, layer.name, float(layer.original_bytes or 0), float(layer.optimized_bytes or 0))
        for name, layer in zip(names, layers, strict=True)
    ]
    rows.sort(key=lambda row: max(row[2], row[3]), reverse=True)
    if len(rows) <= TOP + 1:
        return rows
    rest = rows[TOP:]
    name = f"{len(rest)} other layers"
    return [*rows[:TOP], (name, name, sum(row[2] for row in rest), sum(row[3] for row in rest))]


def _draw(rows: Sequence[Row], width: int, count: int) -> Markup:
    largest = max(max(row[2], row[3]) for row in rows) or 1.0
    parts: list[Markup] = []
    for index, (name, full, before, after) in enumerate(rows):
        top = index * _ROW
        values = f"{formatting.size(before)} → {formatting.size(after)}"
        parts += [
            svg.text(0, top + 12, clip(name, int((width - 130) / 6.6)), "label"),
            svg.text(width, top + 12, values, "value", "end"),
            svg.rect(
                0, top + 17, width * before / largest, _BAR, "original", f"{full}, original: {formatting.size(before)}"
            ),
            svg.rect(
                0,
                top + 17 + _BAR,
                width * after / largest,
                _BAR,
                "optimized",
                f"{full}, optimized: {formatting.size(after)}",
            ),
        ]
    name, _, before, after = rows[0]
    label = (
        f"Bytes of weights by layer, {count} layers. The largest, {name}, goes from {formatting.size(before)} "
        f"to {formatting.size(after)}."
    )
    return svg.drawing(width, len(rows) * _ROW, label, *parts)
