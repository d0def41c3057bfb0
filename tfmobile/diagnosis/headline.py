"""The result of a diagnosis in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from tfmobile.artifacts import Fidelity, Finding, LayerDiagnosis
from tfmobile.diagnosis.causes import meaning
from tfmobile.diagnosis.signs import percent

FINE = 0.25
"""Harm below this is what rounding to 8 bits costs a model that takes it well."""
NAMED = 0.15
"""From this part of the damage on a layer is named as the main one."""
TELLING = 0.15
"""Findings below this severity are no reason for the whole loss."""


def headline(
    recipe: str,
    found: Fidelity | None,
    findings: Sequence[Finding],
    layers: Sequence[LayerDiagnosis],
    harm: float,
    *,
    simple: Fidelity | None = None,
    labelled: int = 0,
) -> str:
    """What quantization loses, where most of it comes from, why, and what to do.

    ``harm`` 0 to 1: how unlike the float model it answers; ``simple``: the same model by smallest and largest values
    alone, where the recipe does more; ``labelled``: samples with labels. ``found`` None: the model does not run.
    """
    if found is None:
        why = f", because {_because(findings[0])}. {_short(findings[0].fix)}" if findings else "."
        return f"The {recipe} model does not run{why}"
    data = next((one for one in findings if one.about == "data" and one.severity >= 0.5), None)
    fine = harm < FINE
    said = f"{recipe} {'answers like the float model' if fine else _verb(harm)}: {loss(found, simple, labelled)}"
    if data is not None and (fine or data.severity >= _severity(findings)):
        return f"{said}. But look at the data first ({data.cause.replace('-', ' ')}): {data.fix}"
    if fine:
        return f"{said}. Nothing stands out that needs a fix."
    cause = next((one for one in findings if one.about != "data" and one.severity >= TELLING), None)
    if cause is None:
        return f"{said}; {_part(max(layers, key=lambda layer: layer.share, default=None))}."
    worst = max(layers, key=lambda layer: layer.share, default=None)
    if not cause.where and worst is not None and worst.share >= NAMED:
        part = f"many layers add to it, most of all '{worst.name}' ({percent(worst.share)})"
        return f"{said}; {part}, because {_because(cause)}. {_short(cause.fix)}"
    named = next((layer for layer in layers if cause.where and layer.name == _first(cause.where)), None)
    return f"{said}; {_part(named)}, because {_because(cause)}. {_short(cause.fix)}"


def loss(found: Fidelity, simple: Fidelity | None = None, labelled: int = 0) -> str:
    """The numbers, in words; right answers are counted over the ``labelled`` samples."""
    parts = []
    if labelled and found.correct is not None and found.reference_correct is not None:
        right, before = (100 * count / labelled for count in (found.correct, found.reference_correct))
        parts.append(f"{before:.1f} → {right:.1f} % right")
    if found.agreement is not None:
        parts.append(f"{100 * found.agreement:.1f} % of the answers as in float")
    if not parts:
        parts.append(f"{found.sqnr_db:.1f} dB signal to noise")
    words = f"{', '.join(parts)}, on {found.samples} samples"
    if simple is None:
        return words
    alone = f"{100 * simple.agreement:.1f} %" if simple.agreement is not None else f"{simple.sqnr_db:.1f} dB"
    return f"{words} (by smallest and largest values alone {alone})"


def _part(layer: LayerDiagnosis | None) -> str:
    if layer is None:
        return "many layers add to it"
    if layer.share < NAMED:
        return f"a part of it in '{layer.name}'"
    most = "most of it" if layer.share >= 0.5 else "the largest part of it"
    return f"{most}, {percent(layer.share)}, in '{layer.name}'"


def _short(fix: str) -> str:
    """The first of several ways."""
    return f"{fix.split('; or ')[0].rstrip('.')}."


def _first(where: str) -> str:
    return where.split(", ")[0].split(" and ")[0]


def _verb(harm: float) -> str:
    return "loses" if harm > 0.5 else "loses a little"


def _severity(findings: Sequence[Finding]) -> float:
    return max((one.severity for one in findings if one.about != "data"), default=0.0)


def _because(cause: Finding) -> str:
    text = _bare(meaning(cause.cause) or cause.what)
    return text[0].lower() + text[1:]


def _bare(text: str) -> str:
    return text.rstrip(".")
