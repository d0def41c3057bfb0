"""Causes that lie in the model as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tfmobile.diagnosis.evidence import LayerEvidence
from tfmobile.diagnosis.impact import DECISIVE
from tfmobile.diagnosis.signs import Sign, percent, ramp

ROUNDING = 0.7
"""RMSE in steps, from where on a layer's error is more than the rounding of its own output (0.289)."""


def shifted_means(layers: Sequence[LayerEvidence], whole: float) -> Sign | None:
    """A good part of the error is a constant shift of each channel, which the biases could take away."""
    errors = [
        one.error
        for one in layers
        if one.error is not None and one.layer.weights is not None and one.error.rmse_per_scale > ROUNDING
    ]
    if len(errors) < 2:
        return None
    mean = sum(error.shift_share for error in errors) / len(errors)
    strength = 0.8 * ramp(mean, 0.05, 0.3)  # in a wreck the means are shifted too: a cause in a layer goes first
    if not strength:
        return None
    return Sign(
        strength,
        f"In {len(errors)} layers with weights {percent(mean)} of the squared error is a constant a channel, and it "
        "adds up from layer to layer.",
        "calibrate with more samples",
        ("correct-bias",),
    )


def many_small_errors(layers: Sequence[LayerEvidence], whole: float) -> Sign | None:
    """No layer stands out: small errors of many layers add up."""
    impacts = sorted((one.impact for one in layers), reverse=True)
    if not impacts or not whole or impacts[0] >= whole * 0.999:
        return None
    largest = impacts[0] / whole * DECISIVE
    return Sign(
        ramp(DECISIVE / max(largest, 1e-9), 1.5, 4.0),
        f"The layer that harms most makes {percent(largest)} of the damage.",
        "search for the layers that are worth more bits (optimize --max-drop)",
        ("correct-bias", "round-weights"),
    )


def left_float(layers: Sequence[LayerEvidence], whole: float) -> Sign | None:
    """Operators stay float: no harm to the answer, but they run no faster, and each border costs a conversion."""
    left = [one.layer for one in layers if one.layer.kind == "float"]
    if not left or len(left) == len(layers):
        return None
    reasons = Counter(layer.reason for layer in left if layer.reason)
    why = f" {reasons.most_common(1)[0][0]}" if reasons else ""
    named = ", ".join(f"{layer.op} '{layer.name}'" for layer in left[:3])
    return Sign(
        1.0,
        f"{len(left)} of {len(layers)} operators compute in float: {named}{' …' if len(left) > 3 else ''}.{why}",
        "Replace them by operators that have integer kernels, or cut the model before them (--output)",
        impact=0.1 + 0.2 * len(left) / len(layers),
    )
