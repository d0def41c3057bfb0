"""Size: bytes by layer and by purpose."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tfmobile.artifacts import Report
from tfmobile.reporting import formatting
from tfmobile.reporting.charts.size_by_layer import size_by_layer
from tfmobile.reporting.layers import layer_sizes
from tfmobile.reporting.views.table import Table, table

_PURPOSES = (
    ("Weights", "weight_bytes"),
    ("Quantization parameters", "quantization_bytes"),
    ("Metadata", "metadata_bytes"),
    ("Graph and rest", "other_bytes"),
    ("Whole file", "total_bytes"),
    ("Zipped", "zipped_bytes"),
)


@dataclass(frozen=True)
class SizeView:
    """Everything of the section."""

    plot: Markup
    purposes: Table
    layers: Table


def size_view(report: Report) -> SizeView:
    """Original beside optimized."""
    layers = layer_sizes(report.original, report.optimized)
    before, after = report.original.size, report.optimized.size
    purposes = [
        (title, formatting.size(getattr(before, name)), formatting.size(getattr(after, name)))
        for title, name in _PURPOSES
    ]
    rows = [(one.name, one.op, _bytes(one.original_bytes), _bytes(one.optimized_bytes)) for one in layers]
    return SizeView(
        size_by_layer(layers),
        table("What the bytes are for", ("", "Original", "Optimized"), purposes, [1, 2]),
        table("Weights of every layer", ("Layer", "Operator", "Original", "Optimized"), rows, [2, 3]),
    )


def _bytes(count: int | None) -> str:
    return formatting.DASH if count is None else formatting.size(count)
