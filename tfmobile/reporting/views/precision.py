"""Precision: the error of every layer, which operators compute in integers, and what stayed float and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tfmobile.artifacts import LayerError, Report, TFLiteModel
from tfmobile.reporting import formatting
from tfmobile.reporting.charts.layer_error import layer_error, worst_layers
from tfmobile.reporting.charts.op_kinds import KINDS, op_kinds, words
from tfmobile.reporting.layers import short_names
from tfmobile.reporting.views.table import Row, Table, table


@dataclass(frozen=True)
class PrecisionView:
    """Everything of the section."""

    plot: Markup
    worst: tuple[str, ...]
    errors: Table
    kinds: Markup
    kinds_words: str
    operators: Table
    left_float: Table
    backend: str
    notes: tuple[str, ...]


def precision_view(report: Report) -> PrecisionView:
    """Of the optimized model; the original only where it explains."""
    errors = [(one.name, one.op, formatting.decibels(one.snr_db)) for one in report.layer_errors]
    model = report.optimized
    return PrecisionView(
        plot=layer_error(report.layer_errors),
        worst=_worst(report.layer_errors),
        errors=table("Error of every layer", ("Layer", "Operator", "SNR"), errors, [2]),
        kinds=op_kinds({"original": _kinds(report.original), "optimized": _kinds(model)}),
        kinds_words=words(_kinds(model)),
        operators=_operators(model),
        left_float=_left_float(model),
        backend=model.backend,
        notes=tuple(note for note in model.notes if note not in report.notes),
    )


def _worst(errors: Sequence[LayerError]) -> tuple[str, ...]:
    short = dict(zip((one.name for one in errors), short_names([one.name for one in errors]), strict=True))
    return tuple(f"{short[one.name]} ({one.op}): {formatting.decibels(one.snr_db)}" for one in worst_layers(errors))


def _kinds(model: TFLiteModel) -> Counter[str]:
    return Counter(op.kind for op in model.ops)


def _operators(model: TFLiteModel) -> Table:
    counts = Counter((op.op, op.kind) for op in model.ops)
    kinds = [kind for kind in KINDS if any(op.kind == kind for op in model.ops)]
    names = sorted({op.op for op in model.ops})
    rows = [(name, *(str(counts[name, kind] or formatting.DASH) for kind in kinds)) for name in names]
    return table("Operators of the optimized model", ("Operator", *kinds), rows, range(1, len(kinds) + 1))


def _left_float(model: TFLiteModel) -> Table:
    if not any(op.kind in ("integer", "weight-only") for op in model.ops):
        return table("", (), ())  # nothing was to be quantized: every operator is float on purpose
    rows = [Row((str(op.index), op.op, op.output, op.reason or "not known"), "caution") for op in model.left_float]
    return table("Left in float", ("Index", "Operator", "Output", "Why"), rows, [0])
