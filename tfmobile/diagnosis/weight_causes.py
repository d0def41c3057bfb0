"""Causes that lie in the weights and biases of a layer."""

from __future__ import annotations

import numpy as np

from tfmobile.diagnosis.evidence import LayerEvidence
from tfmobile.diagnosis.signs import Sign, leave_float, number, ramp
from tfmobile.diagnosis.structure import Weights
from tfmobile.graph.model import Array

BIAS_LIMIT = 2**30
"""The converter widens the scale of weights until no bias is larger."""
STEPS = 127


def channel_imbalance(evidence: LayerEvidence) -> Sign | None:
    """Its channels have weights of very different sizes, and all share one scale."""
    found = _one_scale(evidence)
    if found is None:
        return None
    alive = found.maxima[~_dead(evidence, found)]
    alive = alive[alive > 0]
    if alive.size < 2:
        return None
    usual, largest = float(np.median(alive)), float(found.scales[0]) * STEPS
    ratio = float(alive.max()) / usual
    strength = ramp(ratio, 4.0, 40.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"The largest weight is {number(float(alive.max()))}, that of the median channel {number(usual)}, which has "
        f"{STEPS * usual / largest:.1f} of {STEPS} steps (the smallest {STEPS * float(alive.min()) / largest:.2g}).",
        "use one scale a channel (--recipe int8), if the target can",
        ("equalize", "clip-weights"),
    )


def dead_channels(evidence: LayerEvidence) -> Sign | None:
    """Channels that never change have the largest weights, and so the scale of all others."""
    found = _one_scale(evidence)
    if found is None:
        return None
    dead = _dead(evidence, found)
    if not dead.any() or dead.all():
        return None
    worst, best = float(found.maxima[dead].max()), float(found.maxima[~dead].max())
    ratio = worst / best if best else np.inf
    strength = ramp(ratio, 2.0, 16.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"{int(dead.sum())} of {dead.size} channels gave the same value for every sample, yet hold weights up to "
        f"{number(worst)}; the others, up to {number(best)}, have {STEPS / ratio:.0f} of {STEPS} steps.",
        "use one scale a channel (--recipe int8), if the target can",
        ("clear-dead-channels",),
    )


def bias_overflow(evidence: LayerEvidence) -> Sign | None:
    """A bias does not fit into 32 bits at the scale of input and weights, so the weights are made coarser."""
    found = evidence.layer.weights
    if found is None or found.bias is None or not evidence.inputs:
        return None
    scales = np.broadcast_to(found.scales, found.maxima.shape) if found.scales.size == 1 else found.scales
    if found.bias.size != found.maxima.size or scales.size != found.maxima.size:
        return None
    at_limit = np.abs(found.bias.astype(np.float64)) >= 0.99 * BIAS_LIMIT
    widened = scales * STEPS / np.maximum(found.maxima, 1e-30)
    # The weights of a channel that never changes are not missed.
    hit = at_limit & (widened > 1.2) & ~_dead(evidence, found)
    if not hit.any():
        return None
    worst = int(np.argmax(np.where(hit, widened, 0.0)))
    real = abs(float(found.bias[worst])) * float(scales[worst]) * evidence.inputs[0].layer.grid.scale
    return Sign(
        ramp(float(widened[worst]), 1.2, 16.0),
        f"The bias of {int(hit.sum())} of {hit.size} channels (channel {worst}: {number(real)}) is so large beside "
        f"input and weights that the weights are left {STEPS / float(widened[worst]):.2g} of {STEPS} steps.",
        leave_float(evidence.layer.name),
        ("absorb-bias",),
    )


def amplified_rounding(evidence: LayerEvidence) -> Sign | None:
    """Its sums are far larger than what its output can hold, so rounding of input and weights is amplified."""
    found = evidence.layer.weights
    grid = evidence.layer.grid
    if found is None or not evidence.inputs or not grid.scale or not evidence.inputs[0].layer.grid.scale:
        return None
    alive = ~_dead(evidence, found)
    if not alive.any():
        return None
    gains = np.where(alive, found.maxima, 0.0) * _usual_step(evidence.inputs[0]) / grid.scale
    usual = float(np.quantile(gains[alive], 0.9))
    strength = ramp(usual, 2.5, 16.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"One step of its input moves every tenth channel by {usual:.0f} steps of its output or more (channel "
        f"{int(np.argmax(gains))}: {gains.max():.0f}).",
        leave_float(evidence.layer.name),
        ("correct-bias", "equalize", "round-weights"),
    )


def _usual_step(source: LayerEvidence) -> float:
    """Of what a layer reads: the step its channels would have without outliers and offsets, at most its own."""
    found = source.statistics
    if found is None or found.channel_lows is None or found.channel_highs is None or not found.channel_lows.size:
        return source.layer.grid.scale
    spread = float(np.quantile(found.channel_highs - found.channel_lows, 0.9, method="lower"))
    return min(source.layer.grid.scale, spread / 255)


def _one_scale(evidence: LayerEvidence) -> Weights | None:
    found = evidence.layer.weights
    return found if found is not None and found.scales.size == 1 and found.maxima.size > 1 else None


def _dead(evidence: LayerEvidence, weights: Weights) -> Array:
    """Which output channels gave the same value for all samples."""
    found = evidence.statistics
    nothing: Array = np.zeros(weights.maxima.size, bool)
    if found is None or found.channel_lows is None or found.channel_highs is None:
        return nothing
    if found.channel_lows.size != weights.maxima.size:
        return nothing
    low, high = evidence.held
    constant: Array = (found.channel_highs - found.channel_lows) <= 1e-6 * (high - low)
    return constant
