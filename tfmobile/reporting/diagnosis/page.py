"""The page of a diagnosis: findings, plots of the worst layers, and every layer in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tfmobile.artifacts import Diagnosis, Finding, LayerDiagnosis
from tfmobile.reporting import formatting
from tfmobile.reporting.diagnosis.channels import channels
from tfmobile.reporting.diagnosis.depth import depth
from tfmobile.reporting.diagnosis.histogram import histogram
from tfmobile.reporting.diagnosis.wording import (
    FLAGGED,
    answers,
    cause_words,
    layer_cells,
    layer_heads,
    measured_on,
    overall,
    tone,
    worst_layers,
)
from tfmobile.reporting.html_page import model_title, render
from tfmobile.reporting.layers import short_names
from tfmobile.reporting.views.table import Row, Table, table

OWN = Path(__file__).with_name("templates")
SHOWN = 4
"""For so many layers ranges and histograms are drawn."""


@dataclass(frozen=True)
class FindingView:
    """A finding and how it looks."""

    tone: str
    cause: str
    about: str
    where: str
    what: str
    fix: str


@dataclass(frozen=True)
class LayerView:
    """The plots of one of the worst layers."""

    title: str
    name: str
    facts: str
    causes: str
    activations: Markup
    weights: Markup
    histogram: Markup


def to_html(found: Diagnosis) -> str:
    """The whole page as text; open it from a file, without a network."""
    context = {
        "title": model_title(found.model),
        "found": found,
        "tone": overall(found),
        "headline": found.headline.partition(". ")[0].rstrip("."),
        "advice": found.headline.partition(". ")[2],
        "findings": [_finding(one) for one in found.findings],
        "numbers": _numbers(found),
        "depth": depth(found.layers),
        "worst": [
            f"{_short(found)[one.name]} ({one.op}): {formatting.percent(one.share)} of the damage"
            for one in worst_layers(found.layers, 3)
        ],
        "layers": _table(found),
        "drawn": [_layer(one, found) for one in _drawn(found)],
        "scalings": _scalings(found),
        "measured": measured_on(found),
    }
    styles = ["report.css", "diagnosis.css"]
    return render("diagnosis.html.j2", context, styles=styles, scripts=["page.js"], folder=OWN)


def _finding(one: Finding) -> FindingView:
    return FindingView(tone(one), cause_words(one), one.about, one.where, one.what, one.fix)


def _numbers(found: Diagnosis) -> Table:
    simple = dict(answers(found.simple, found.labelled))
    heads = ("", found.recipe, "by min/max alone") if simple else ("", found.recipe)
    rows = [
        (name, value, simple.get(name, formatting.DASH)) if simple else (name, value)
        for name, value in answers(found.fidelity, found.labelled)
    ]
    return table("Against the float model", heads, rows, range(1, len(heads)))


def _short(found: Diagnosis) -> dict[str, str]:
    names = [layer.name for layer in found.layers]
    return dict(zip(names, short_names(names), strict=True))


def _table(found: Diagnosis) -> Table:
    short = _short(found)
    rows = [
        Row(
            (short[layer.name], layer.op, *layer_cells(layer)),
            "caution" if layer.rmse_per_scale > FLAGGED and layer.share >= 0.1 else "",
        )
        for layer in found.layers
    ]
    note = "RMSE is in steps of the layer's grid: rounding alone gives 0.29."
    return table("Every layer", ("Layer", "Operator", *layer_heads(found)), rows, range(2, 7), note)


def _drawn(found: Diagnosis) -> list[LayerDiagnosis]:
    """Layers that a finding names first, then the worst others, as far as their channels are known."""
    known = {layer.name: layer for layer in found.layers if layer.histogram or layer.channel_highs}
    named = [name for one in found.findings if one.severity >= 0.1 for name in one.where.split(", ")]
    wanted = [*named, *(layer.name for layer in worst_layers(found.layers, SHOWN))]
    return [known[name] for name in dict.fromkeys(wanted) if name in known][:SHOWN]


def _layer(layer: LayerDiagnosis, found: Diagnosis) -> LayerView:
    reach = [max(abs(low), abs(high)) for low, high in zip(layer.channel_lows, layer.channel_highs, strict=True)]
    causes = [cause_words(one) for one in found.findings if layer.name in one.where.split(", ")]
    step = layer.scale if layer.op != "SOFTMAX" else 0.0
    facts = (
        f"{layer.op}, {formatting.percent(layer.share)} of the damage, {formatting.decibels(layer.sqnr_db)}; "
        f"values from {formatting.significant(layer.held[0])} to {formatting.significant(layer.held[1])}, grid from "
        f"{formatting.significant(layer.range[0])} to {formatting.significant(layer.range[1])}"
    )
    return LayerView(
        title=_short(found)[layer.name],
        name=layer.name,
        facts=facts,
        causes=formatting.listed(causes) if causes else "",
        activations=channels(reach, step, "Largest absolute value"),
        weights=channels(layer.weight_maxima, 0.0, "Largest absolute weight"),
        histogram=histogram(layer),
    )


def _scalings(found: Diagnosis) -> Table:
    trials: Sequence[Any] = found.scalings
    rows = [
        Row(
            (
                f"{trial.name}{' (as it is now)' if trial.present else ''}",
                trial.color,
                formatting.percent(trial.confidence),
                formatting.percent(trial.accuracy) if trial.accuracy is not None else formatting.DASH,
            )
        )
        for trial in trials
    ]
    heads = ("Scaling", "Colours", "Confidence", "Top-1")
    return table("Common preprocessings on the float model", heads, rows, [2, 3])
