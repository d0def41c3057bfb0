"""Cross-layer equalization: channels of unlike size share one scale badly, so they are made alike, exactly.

Nagel et al. 2019, Data-Free Quantization Through Weight Equalization and Bias Correction
(https://arxiv.org/abs/1906.04721). Where all between two layers is proportional, the first may make a channel s times
as large and the second read it at 1/s. With r1 and r2 the largest weights of the channel in the first and the second
layer, s = √(r2 / r1) makes both √(r1·r2). Sweeps over all pairs bring depthwise triplets to (r1·r2·r3)^(1/3) each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.graph.model import Array, TensorRef
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.channel_pairs import ChannelGroup, channel_groups
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.float_runs import Extremes, Used, channel_extremes
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers

SIX = 6.0
MARGIN = 0.1
"""On other samples a sum may get this much higher, as a fraction of the span it was seen in."""
QUIET = 0.25
"""A sum that stays low may still get this high, as a fraction of its span; and at least to LOWEST_TOP."""
LOWEST_TOP = 0.06
BOUNDS = (1e-3, 1e3)
SWEEPS = 50
CONVERGED = 1e-3


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Scale channels between layers; the float answer stays what it is, on the samples and wherever Relu6 is not met.

    Across nothing, Relu and LeakyRelu any scale is exact. Relu6 clips at 6 whatever the scale: a channel that reached 6
    on the samples, or nearly, keeps its scale; another one may grow until it does. On samples unlike those, channels
    that were seen to be quiet may be clipped: the more samples, the better. Relu6 is never replaced by Relu.

    With one scale a tensor the weights of both layers are made alike. With a scale for each channel, weights that give
    a channel need nothing; then activations are weighed against the weights that read them.
    """
    layers, left = weighted_layers(draft.graph)
    groups, skipped = channel_groups(draft.graph, layers)
    refs = [layer.sums for group in groups for layer in group.producers]
    seen = channel_extremes(draft.graph, refs, Used(draft, samples), progress)
    edits = WeightEdits(draft.graph)
    caps = [_cap(group, seen) for group in groups]
    tops = None if draft.recipe.granularity == "tensor" else [_tops(group, seen) for group in groups]
    totals, sweeps = _sweep(edits, groups, caps, tops)
    moved = [float(np.abs(total - 1).max()) > CONVERGED for total in totals]
    changed = tuple(_said(group, total) for group, total, did in zip(groups, totals, moved, strict=True) if did)
    kept = tuple(sentence for group in groups for sentence in _clipped(group, seen))
    if not changed:
        return Improved(skipped=(*left, *skipped, *kept))
    graph = edits.finish()
    return Improved(
        graph,
        moves_activations=True,
        changed=(*changed, *edits.copied),
        skipped=(*left, *skipped, *kept),
        facts={"sweeps": float(sweeps)},
    )


def scale_channels(edits: WeightEdits, group: ChannelGroup, scale: Array) -> None:
    """Make the group's channels ``scale`` times as large, and let what reads them undo it."""
    for layer in group.producers:
        edits.set_weights(layer, layer.scale_outputs(edits.weights(layer), scale))
        edits.set_bias(layer, edits.bias(layer) * scale)
    for layer in group.consumers:
        edits.set_weights(layer, layer.scale_inputs(edits.weights(layer), 1 / scale))


def _sweep(
    edits: WeightEdits, groups: Sequence[ChannelGroup], caps: Sequence[Array], tops: Sequence[Array] | None
) -> tuple[list[Array], int]:
    """Scale group by group until nothing moves; gives all that each channel was scaled by, and the number of sweeps."""
    totals = [np.ones(group.channels) for group in groups]
    for sweep in range(1, SWEEPS + 1):
        moved = 0.0
        for place, group in enumerate(groups):
            top = None if tops is None else tops[place] * totals[place]
            total = totals[place] * _wanted(edits, group, top)
            total = np.where(caps[place] > 0, np.clip(np.minimum(total, caps[place]), *BOUNDS), 1.0)
            step = total / totals[place]
            moved = max(moved, float(np.abs(step - 1).max()))
            scale_channels(edits, group, step)
            totals[place] = total
        if moved < CONVERGED:
            return totals, sweep
    return totals, SWEEPS


def _wanted(edits: WeightEdits, group: ChannelGroup, tops: Array | None) -> Array:
    """The scales that make both sides alike; 1 where a channel is empty on one of them."""
    made = np.max([_peaks(layer.by_output(edits.weights(layer))) for layer in group.producers], axis=0)
    read = np.max([_peaks(one.by_input(edits.weights(one), group.channels)) for one in group.consumers], axis=0)
    if tops is not None:
        made = tops / max(float(tops.max()), 1e-30)
        bound = all(layer.depthwise for layer in group.consumers)
        read = np.ones(group.channels) if bound else read / max(float(read.max()), 1e-30)
    usable = (made > 0) & (read > 0)
    return np.where(usable, np.sqrt(np.where(usable, read, 1.0) / np.where(usable, made, 1.0)), 1.0)


def _peaks(weights: Array) -> Array:
    return np.asarray(np.abs(weights).max(axis=1))


def _cap(group: ChannelGroup, seen: Mapping[TensorRef, Extremes]) -> Array:
    """The largest scale of each channel that clips nothing; 0 where it must stay as it is."""
    caps = [np.full(group.channels, np.inf)]
    for layer in group.producers:
        if layer.activation == "Relu6":
            top = _reach(seen[layer.sums])
            caps.append(np.where(top < SIX, SIX / top, 0.0))
    return np.asarray(np.min(caps, axis=0))


def _reach(seen: Extremes) -> Array:
    """How high sums may get on samples that were not seen."""
    span = seen.highs - seen.lows
    return np.maximum(np.maximum(seen.highs + MARGIN * span, QUIET * span), LOWEST_TOP)


def _tops(group: ChannelGroup, seen: Mapping[TensorRef, Extremes]) -> Array:
    """The largest absolute activation of each channel, over the producers."""
    return np.asarray(np.max([_top(layer, seen[layer.sums]) for layer in group.producers], axis=0))


def _top(layer: WeightedLayer, seen: Extremes) -> Array:
    lows = np.zeros_like(seen.lows) if layer.activation else seen.lows
    highs = np.minimum(seen.highs, SIX) if layer.activation == "Relu6" else seen.highs
    return np.maximum(np.abs(lows), np.maximum(highs, 0))


def _clipped(group: ChannelGroup, seen: Mapping[TensorRef, Extremes]) -> list[str]:
    found = []
    for layer in group.producers:
        extremes = seen[layer.sums]
        full = _reach(extremes) >= SIX
        if layer.activation == "Relu6" and full.any():
            found.append(
                f"Kept {int(full.sum())} of {full.size} channels of {layer.name} as they are: they reach the 6 of "
                f"Relu6, or nearly (up to {float(extremes.above_six.max()):.1%} of values lie above), and Relu in its "
                "place would change the answer."
            )
    return found


def _said(group: ChannelGroup, total: Array) -> str:
    moved = int(np.sum(np.abs(total - 1) > CONVERGED))
    return f"Scaled {moved} of {group.channels} channels of {group.name} by {total.min():.3g} to {total.max():.3g}."
