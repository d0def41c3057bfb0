"""How much of a loss that matters comes from each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfmobile.artifacts import Fidelity
from tfmobile.diagnosis.effects import Effects, damage
from tfmobile.diagnosis.layers import LayerError
from tfmobile.diagnosis.structure import QuantizedLayer

HALF_KL, HALF_DISAGREEMENT, HALF_NOISE = 0.05, 0.1, 0.01
"""Divergence in nats, fraction of other answers, and noise to signal (20 dB) that count as half of the worst."""
DECISIVE = 0.3
"""A layer that makes this part of the damage is as bad as one that makes all of it."""


def harm(found: Fidelity) -> float:
    """0 for the float answers, towards 1 for others: the worst of divergence, disagreement and noise."""
    parts = [0.0]
    if found.agreement is not None:
        parts.append(_half(1 - found.agreement, HALF_DISAGREEMENT))
    if found.kl is not None:
        parts.append(_half(found.kl, HALF_KL))
    else:
        parts.append(_half(10 ** (-min(max(found.sqnr_db, -100.0), 200.0) / 10), HALF_NOISE))
    return max(parts)


def shares(effects: Effects) -> dict[str, float]:
    """Layer → its part of the damage: of the sum of all layers alone, or of what goes when it alone is left float."""
    total = sum(damage(found) for found in effects.only_this.values())
    whole = damage(effects.all_quantized)
    found = {name: damage(only) / total if total else 0.0 for name, only in effects.only_this.items()}
    for name, but in effects.all_but_this.items():
        if whole:
            found[name] = max(found.get(name, 0.0), 1 - damage(but) / whole)
    return found


def shares_by_noise(layers: Sequence[QuantizedLayer], errors: Mapping[str, LayerError]) -> dict[str, float]:
    """The same without a simulation: noise to signal that a layer adds to what comes in."""
    noise = {name: 10 ** (-error.sqnr_db / 10) for name, error in errors.items()}
    added = {
        layer.name: max(0.0, noise[layer.name] - max((noise.get(name, 0.0) for name in layer.inputs), default=0.0))
        for layer in layers
        if layer.name in noise
    }
    total = sum(added.values())
    return {name: value / total if total else 0.0 for name, value in added.items()}


def impacts(part: Mapping[str, float], whole: float) -> dict[str, float]:
    """Layer → 0 to 1, of its part of the damage and the harm of the ``whole``."""
    return {name: whole * min(1.0, max(0.0, value) / DECISIVE) for name, value in part.items()}


def _half(value: float, half: float) -> float:
    return max(0.0, value) / (max(0.0, value) + half)
