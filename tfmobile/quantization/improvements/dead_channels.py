"""Channels that never change: their weights say nothing, and often are the largest, because training did not hold them.

A batch norm divides by a channel's standard deviation. Where that is almost nothing, folding makes huge weights. With
one scale a tensor they take the steps from all other channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.channel_pairs import ChannelGroup, channel_groups
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.float_runs import Extremes, Used, channel_extremes
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers

MARGIN = 0.5
"""How far a sum must stay from where the activation bends, as a fraction of the span it was seen in."""
FLAT = 1e-4
"""A sum that changes by less than this, relative to its size or to 1, is constant."""
NEEDED = 0.5
"""A channel whose sum changes is cleared only when its weights are larger than this much of the others' largest."""
FEWEST_SAMPLES = 16


@dataclass(frozen=True)
class Constancy:
    """Which channels never change, and at which sum.

    ``flat``: the sum is constant. ``safe``: it changes, but stays far from where the activation would show it.
    ``thin``: that, too, but it comes near.
    """

    flat: Array
    safe: Array
    thin: Array
    value: Array


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Give channels that were constant on all samples zero weights, and a bias that makes the same constant.

    A channel is constant when its sum is. It is also when the sum lies below the 0 of Relu or above the 6 of Relu6, by
    MARGIN of its span; other samples might still show it, so this is used only for large weights. Then what only zeros
    go through is cleared, too, and what nothing reads: those two are exact whatever the data. Channels with scales of
    their own (``granularity`` channel) gain nothing and are left alone.
    """
    if draft.recipe.granularity != "tensor":
        return Improved(skipped=("Left dead channels alone: with a scale for each channel they disturb no other.",))
    used = Used(draft, samples)
    if len(used) < FEWEST_SAMPLES:
        return Improved(skipped=(f"Left dead channels alone: {len(used)} samples are too few to call one dead.",))
    layers, left = weighted_layers(draft.graph)
    groups, _ = channel_groups(draft.graph, layers)
    outputs = {spec.ref for spec in draft.graph.outputs}
    watched = [layer for layer in layers if layer.bias is not None and layer.output not in outputs]
    seen = channel_extremes(draft.graph, [layer.sums for layer in watched], used, progress)
    edits = WeightEdits(draft.graph)
    before = {layer.name: _peaks(edits, layer) for layer in layers}
    found = {layer.name: constancy(layer, seen[layer.sums]) for layer in watched}
    _distrust(edits, groups, found)
    thin = [_clear_constant(edits, layer, found[layer.name]) for layer in watched]
    _clear_unread(edits, groups)
    changed = [sentence for layer in layers for sentence in _said(edits, layer, before[layer.name])]
    skipped = (*left, *(sentence for sentence in thin if sentence))
    if not changed:
        return Improved(skipped=skipped)
    cleared = sum(int(np.sum((_peaks(edits, one) == 0) & (before[one.name] > 0))) for one in layers)
    graph = edits.finish()
    return Improved(graph, changed=(*changed, *edits.copied), skipped=skipped, facts={"cleared": float(cleared)})


def constancy(layer: WeightedLayer, seen: Extremes) -> Constancy:
    """Which of the layer's channels are constant, by the extremes of its sums."""
    span, middle = seen.highs - seen.lows, (seen.highs + seen.lows) / 2
    flat = span <= FLAT * np.maximum(1.0, np.abs(middle))
    room = MARGIN * span
    low = (layer.activation in ("Relu", "Relu6")) & (seen.highs <= 0)
    high = (layer.activation == "Relu6") & (seen.lows >= 6)
    safe = (low & (seen.highs <= -room)) | (high & (seen.lows >= 6 + room))
    return Constancy(flat, safe & ~flat, (low | high) & ~flat & ~safe, middle)


def _distrust(edits: WeightEdits, groups: Sequence[ChannelGroup], found: dict[str, Constancy]) -> None:
    """A sum that is constant because it reads a channel that nearly changes is no safer than that channel."""
    for group in groups:
        known = [found[one.name].thin for one in group.producers if one.name in found]
        thin = np.any([np.zeros(group.channels, bool), *known], axis=0)
        for layer in group.consumers if thin.any() else ():
            weights = np.abs(layer.scale_inputs(edits.weights(layer), thin.astype(float)))
            near = layer.by_output(weights).max(axis=1) > 0
            if layer.name in found:
                before = found[layer.name]
                found[layer.name] = dataclasses.replace(
                    before, flat=before.flat & ~near, thin=before.thin | (before.flat & near)
                )


def _clear_constant(edits: WeightEdits, layer: WeightedLayer, found: Constancy) -> str:
    """Clear constant channels; gives a sentence about those that were too near to tell."""
    weights = edits.weights(layer)
    peaks = np.abs(layer.by_output(weights)).max(axis=1)
    alive = peaks > 0
    live = float(np.max(peaks, where=~(found.flat | found.safe), initial=0.0))
    constant = (found.flat | (found.safe & (peaks > NEEDED * live))) & alive
    if constant.any():
        edits.set_weights(layer, layer.scale_outputs(weights, np.where(constant, 0.0, 1.0)))
        edits.set_bias(layer, np.where(constant, found.value, edits.bias(layer)))
    thin = int(np.sum(found.thin & alive))
    return f"Kept {thin} channels of {layer.name} that were constant, but near to where they change." if thin else ""


def _clear_unread(edits: WeightEdits, groups: Sequence[ChannelGroup]) -> None:
    """Clear weights that read only zeros, in order; then channels that only zero weights read, from the end."""
    for group in groups:
        silent = np.all([_silent(edits, layer) for layer in group.producers], axis=0)
        for layer in group.consumers if silent.any() else ():
            weights = edits.weights(layer)
            edits.set_weights(layer, layer.scale_inputs(weights, np.where(silent, 0.0, 1.0)))
    for group in reversed(groups):
        read = [np.abs(one.by_input(edits.weights(one), group.channels)).max(axis=1) > 0 for one in group.consumers]
        kept = np.where(np.any(read, axis=0), 1.0, 0.0)
        for layer in group.producers if not kept.all() else ():
            edits.set_weights(layer, layer.scale_outputs(edits.weights(layer), kept))
            edits.set_bias(layer, edits.bias(layer) * kept)


def _silent(edits: WeightEdits, layer: WeightedLayer) -> Array:
    """Which channels are always 0."""
    bias = edits.bias(layer)
    nothing = bias <= 0 if layer.activation else bias == 0
    return np.asarray((_peaks(edits, layer) == 0) & nothing)


def _peaks(edits: WeightEdits, layer: WeightedLayer) -> Array:
    return np.asarray(np.abs(layer.by_output(edits.weights(layer))).max(axis=1))


def _said(edits: WeightEdits, layer: WeightedLayer, before: Array) -> list[str]:
    after = _peaks(edits, layer)
    cleared = int(np.sum((after == 0) & (before > 0)))
    if not cleared:
        return []
    change = (
        f"; its largest weight goes from {before.max():.3g} to {after.max():.3g}" if after.max() < before.max() else ""
    )
    return [f"Cleared {cleared} of {before.size} channels of {layer.name}, which never change{change}."]
