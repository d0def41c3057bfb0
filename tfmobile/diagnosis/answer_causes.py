"""Causes that lie in how the model gives its answer."""

from __future__ import annotations

import math

from tfmobile.diagnosis.evidence import LayerEvidence
from tfmobile.diagnosis.signs import Sign, leave_float, number, percent, ramp, span


def wide_logits(evidence: LayerEvidence) -> Sign | None:
    """A softmax reads logits of such a wide range that one step of them changes the odds a lot."""
    if evidence.layer.op != "SOFTMAX" or not evidence.inputs:
        return None
    logits = evidence.inputs[0]
    step = logits.layer.grid.scale
    strength = ramp(step, 0.15, 0.8)
    if not strength:
        return None
    return Sign(
        strength,
        f"Logits span {span(logits.held)}: one step of {number(step)} changes the odds of two classes by "
        f"{percent(math.expm1(step))}.",
        f"{leave_float(logits.layer.name)} and the softmax too, or train with smaller logits (label smoothing)",
        impact=max(evidence.impact, logits.impact),
    )


def tied_answers(evidence: LayerEvidence) -> Sign | None:
    """The best two answers often get the same 8-bit value, so the first one wins whatever it is."""
    strength = ramp(evidence.ties, 0.01, 0.1)
    if not evidence.layer.answer or not strength:
        return None
    advice = leave_float(evidence.layer.name)
    if evidence.layer.op == "SOFTMAX" and evidence.inputs:
        advice = f"take the answer before the softmax (--output {evidence.inputs[0].layer.name}), or {advice}"
    return Sign(
        strength,
        f"In {percent(evidence.ties)} of the samples the two best answers are equal in 8 bits "
        f"(step {number(evidence.layer.grid.scale)}).",
        advice,
        impact=max(evidence.impact, min(1.0, 4 * evidence.ties)),
    )
