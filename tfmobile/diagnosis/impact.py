"""How much of a loss that matters comes from each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfmobile.artifacts import Fidelity
from tfmobile.diagnosis.effects import Effects, damage
from tfmobile.diagnosis.layers import LayerError
from tfmobile.diagnosis.structure import QuantizedLayer, movers

HALF_KL, HALF_DISAGREEMENT, HALF_NOISE = 0.05, 0.1, 0.01
"""Divergence in nats, fraction of other answers, and noise to signal (20 dB) that count as half of the worst."""
WRECK = 0.2
"""Divergence in nats, or noise to signal, beyond which more damage hardly counts."""
OWN = 0.3
"""This part of what a layer does alone is taken as its own at least, however much the layer before it does."""
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


def shares(effects: Effects, layers: Sequence[QuantizedLayer]) -> dict[str, float]:
    """Layer → its part of the damage: of the sum of all layers alone, or of what goes when it alone is left float.

    What a layer reads is on the grid of the layer before it also when that one is float: such damage is the other's.
    The softmaxes that give the answer have the part of the answers that they alone change.
    """
    outlet = max((_changed(effects.only_this[name]) for name in effects.outlets), default=0.0)
    rest = 1 - outlet / (outlet + _changed(effects.all_quantized)) if outlet else 1.0
    alone = {name: _bounded(only) for name, only in effects.only_this.items() if name not in effects.outlets}
    moved = movers(layers)
    reads = {layer.name: [moved.get(name, name) for name in layer.inputs] for layer in layers}
    inner = {
        name: max(value - max((alone.get(other, 0.0) for other in reads.get(name, ())), default=0.0), OWN * value)
        for name, value in alone.items()
    }
    total, whole = sum(inner.values()), _bounded(effects.all_quantized)
    found = {name: value / total if total else 0.0 for name, value in inner.items()}
    for name in inner:
        if name in effects.all_but_this and whole:
            found[name] = max(found[name], 1 - _bounded(effects.all_but_this[name]) / whole)
    return {name: value * rest for name, value in found.items()} | dict.fromkeys(effects.outlets, 1 - rest)


def shares_by_noise(layers: Sequence[QuantizedLayer], errors: Mapping[str, LayerError]) -> dict[str, float]:
    """The same without a simulation: noise to signal that a layer adds to what comes in.

    A layer whose grid is too coarse for some channels shows it only in those that read them: it has their part too.
    """
    noise = {name: 10 ** (-error.sqnr_db / 10) for name, error in errors.items()}
    added = {
        layer.name: max(0.0, noise[layer.name] - max((noise.get(name, 0.0) for name in layer.inputs), default=0.0))
        for layer in layers
        if layer.name in noise
    }
    total = sum(added.values())
    found = {name: value / total if total else 0.0 for name, value in added.items()}
    for layer in layers:
        for name in layer.inputs:
            if name in found:
                found[name] = max(found[name], added.get(layer.name, 0.0) / total if total else 0.0)
    return found


def _changed(found: Fidelity) -> float:
    return 1 - found.agreement if found.agreement is not None else 0.0


def _bounded(found: Fidelity) -> float:
    """Damage as it counts: a wreck is not worse for being a greater wreck."""
    value = damage(found)
    return value / (value + WRECK)


def impacts(part: Mapping[str, float], whole: float) -> dict[str, float]:
    """Layer → 0 to 1, of its part of the damage and the harm of the ``whole``."""
    return {name: whole * min(1.0, max(0.0, value) / DECISIVE) for name, value in part.items()}


def _half(value: float, half: float) -> float:
    return max(0.0, value) / (max(0.0, value) + half)
