"""Operators by how they compute, original above optimized: a stacked bar each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from markupsafe import Markup

from tfmobile.reporting.charts import svg

KINDS = ("integer", "weight-only", "float", "boundary", "other")
_ROW = 44


def op_kinds(models: Mapping[str, Mapping[str, int]]) -> Markup:
    """``models``: name → kind → number of operators."""
    if not any(sum(kinds.values()) for kinds in models.values()):
        return Markup("")
    return svg.responsive(lambda width: _draw(models, width))


def words(kinds: Mapping[str, int]) -> str:
    """``31 integer, 2 float``."""
    counts = Counter(kinds)
    order = [*KINDS, *(kind for kind in counts if kind not in KINDS)]
    return ", ".join(f"{counts[kind]} {kind}" for kind in order if counts[kind]) or "none"


def _draw(models: Mapping[str, Mapping[str, int]], width: int) -> Markup:
    longest = max(sum(kinds.values()) for kinds in models.values())
    parts: list[Markup] = []
    for index, (name, kinds) in enumerate(models.items()):
        top, x = index * _ROW, 0.0
        parts.append(svg.text(0, top + 12, name, "label"))
        parts.append(svg.text(width, top + 12, words(kinds), "value", "end"))
        for kind in KINDS:
            length = width * kinds.get(kind, 0) / longest
            if length:
                parts.append(svg.rect(x, top + 18, max(length - 1.5, 1.0), 14, f"op-{kind}", f"{kinds[kind]} {kind}"))
                x += length
    label = "Operators by how they compute. " + "; ".join(f"{name}: {words(kinds)}" for name, kinds in models.items())
    return svg.drawing(width, len(models) * _ROW - 6, f"{label}.", *parts)
