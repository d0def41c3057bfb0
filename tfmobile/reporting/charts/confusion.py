"""The confusion matrix as shaded squares: rows are true classes, columns predictions, shade is the share of the row."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tfmobile.reporting.charts import svg
from tfmobile.reporting.layers import clip

MOST_CLASSES = 20


def confusion(matrix: Sequence[Sequence[int]] | None, names: Sequence[str], model: str) -> Markup:
    """Empty when there is no matrix or it has more than MOST_CLASSES rows."""
    if not matrix or len(matrix) > MOST_CLASSES:
        return Markup("")
    return svg.responsive(lambda width: _draw(matrix, names, model, width))


def _draw(matrix: Sequence[Sequence[int]], names: Sequence[str], model: str, width: int) -> Markup:
    longest = 9 if width > svg.NARROW else 7
    shown = [clip(name, longest) for name in names]
    margin = 10 + 6.6 * max(len(name) for name in shown)
    cell = (width - margin - 2) / len(matrix)
    height = margin + cell * len(matrix)
    parts: list[Markup] = []
    for row, (name, counts) in enumerate(zip(shown, matrix, strict=True)):
        middle = margin + (row + 0.5) * cell
        parts.append(svg.text(margin - 7, middle + 4, name, "label", "end"))
        parts.append(_column_name(name, middle, margin))
        parts += [
            _cell(counts, row, column, (margin + column * cell, margin + row * cell, cell), names)
            for column in range(len(counts))
        ]
    return svg.drawing(width, height, _label(matrix, model), *parts)


def _column_name(name: str, x: float, margin: float) -> Markup:
    return svg.text(x + 4, margin - 6, name, "label", transform=f"rotate(-90 {x + 4:.1f} {margin - 6:.1f})")


def _cell(
    counts: Sequence[int], row: int, column: int, place: tuple[float, float, float], names: Sequence[str]
) -> Markup:
    x, y, cell = place
    total, number = sum(counts) or 1, counts[column]
    share = number / total
    kind = "diagonal" if row == column else "off-diagonal"
    tip = f"{names[row]}, answered {names[column]}: {number} of {sum(counts)}"
    # Errors are few: their shade climbs faster, so that a 10 % confusion can be seen.
    shade = share if row == column else min(1.0, 3 * share)
    box = svg.rect(
        x + 0.5,
        y + 0.5,
        cell - 1,
        cell - 1,
        "cell empty" if not number else f"cell {kind}",
        tip,
        fill_opacity=1.0 if not number else round(0.12 + 0.88 * shade, 2),
    )
    if not number or cell < 17:
        return box
    ink = "on-accent small" if 0.12 + 0.88 * shade > 0.6 else "value small"
    return box + svg.text(x + cell / 2, y + cell / 2 + 4, str(number), ink, "middle")


def _label(matrix: Sequence[Sequence[int]], model: str) -> str:
    right = sum(row[index] for index, row in enumerate(matrix))
    total = sum(sum(row) for row in matrix)
    return f"Confusion matrix of the {model} model: {right} of {total} samples right, {len(matrix)} classes."
