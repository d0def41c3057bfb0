"""One scale a tensor is set by its largest channel: make that smaller where this costs less than it gains.

A channel whose sums x are far larger than what its activation lets through, or seldom large, can be *damped*: it
computes f(λ·x + β) with λ < 1, and what reads it takes α·f(λ·x + β) + γ for f(x), by least squares over samples. This
is equalization with a small error, where an exact one does not exist: Relu6 clips at 6 whatever the scale.

Both sides of the balance are in the units of what reads the channel. Rounding weights to steps of Δ adds noise of
variance Δ²/12 · E[Σ input²] to every output channel; damping adds E[(f(x) − α·f(λ·x + β) − γ)²] to one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.match import attr_text
from tfmobile.graph.model import Array, Shape, TensorRef
from tfmobile.graph.shapes import infer_types
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.channel_pairs import ChannelGroup, channel_groups
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.float_runs import Used, sampled_values
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers

CAUTION = 2.0
"""How much worse an error of damping is than rounding noise: it does not average out over positions and layers."""
WORTH = 0.7
"""A layer is changed when that leaves at most this much of its error."""
LADDER = np.geomspace(1.0, 0.01, 40)[1:]
"""Tried largest weights, relative to what it is."""
MOST = 1 / 8
"""Of a layer's channels, or two, so many are damped at most."""
STRAIGHT = frozenset({"MaxPool", "AvgPool", "Mean", "Reshape", "Squeeze", "ExpandDims", "Identity"})
"""Between the layers: ops that keep α·x + γ, for α > 0."""


@dataclass(frozen=True)
class Damping:
    """``scale`` λ and ``shift`` β of the sums, ``gain`` α and ``offset`` γ that undo them, and the ``error`` left."""

    scale: float
    shift: float
    gain: float
    offset: float
    error: float


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Damp the outlier channels of layers whose weights share one scale, where less is lost than gained."""
    if draft.recipe.granularity != "tensor":
        return Improved(skipped=("Left large weights alone: with a scale for each channel they disturb no other.",))
    layers, left = weighted_layers(draft.graph)
    groups, skipped = channel_groups(draft.graph, layers)
    reasons = [(group, _unfit(group, draft.recipe.precision)) for group in groups]
    usable = [group for group, reason in reasons if not reason]
    refused = tuple(f"Left {group.name} alone: {reason}." for group, reason in reasons if reason)
    refs = dict.fromkeys(ref for group in usable for ref in (group.producers[0].data, group.producers[0].sums))
    refs.update(dict.fromkeys(one.data for group in usable for one in group.consumers))
    values = sampled_values(draft.graph, list(refs), Used(draft, samples), progress=progress)
    ends = {ref for group in usable for one in group.consumers for ref in (one.data, one.sums)}
    shapes = {ref: shape for ref, (shape, _) in infer_types(draft.graph, ends).items()}
    edits = WeightEdits(draft.graph)
    changed = [sentence for group in usable for sentence in _damp(edits, group, values, shapes)]
    everything = (*left, *skipped, *refused)
    if not changed:
        return Improved(skipped=everything)
    return Improved(edits.finish(), moves_activations=True, changed=(*changed, *edits.copied), skipped=everything)


def damping(layer: WeightedLayer, sums: Array, scale: float, edge: float) -> Damping:
    """The best damping of one channel by ``scale``; ``sums`` [values]. ``edge``: where an offset is not undone.

    That is the fraction of positions of what reads the channel that also read padding, which is 0 whatever the offset.
    """
    wanted = _active(layer, sums)
    shifts = [0.0, *((1 - scale) * middle for middle in _middles(layer))]
    tried = [_fit(wanted, _active(layer, scale * sums + shift), scale, shift, edge) for shift in shifts]
    return min(tried, key=lambda one: one.error)


def _middles(layer: WeightedLayer) -> tuple[float, ...]:
    """Sums that damping can leave where they are: the middle of what the activation lets through, and beside it."""
    return (1.0, 2.0, 3.0, 4.0, 5.0, 6.0) if layer.activation == "Relu6" else ()


def _fit(wanted: Array, given: Array, scale: float, shift: float, edge: float) -> Damping:
    """Least squares, with and without an offset."""
    found = []
    for mean_wanted, mean_given in ((wanted.mean(), given.mean()), (0.0, 0.0)):
        spread = float(np.mean((given - mean_given) ** 2))
        both = float(np.mean((given - mean_given) * (wanted - mean_wanted)))
        gain = both / spread if spread > 1e-12 and both > 0 else 0.0
        offset = float(mean_wanted - gain * mean_given)
        error = float(np.mean((wanted - gain * given - offset) ** 2)) + edge * offset**2
        found.append(Damping(scale, shift, gain, offset, error))
    return min(found, key=lambda one: one.error)


def _active(layer: WeightedLayer, sums: Array) -> Array:
    if not layer.activation:
        return sums
    return np.clip(sums, 0.0, 6.0 if layer.activation == "Relu6" else np.inf)


def _unfit(group: ChannelGroup, in_float: Collection[str]) -> str:
    if any(one.name in in_float for one in group.producers):
        return "the recipe keeps it in float, where large weights disturb no others"
    if len(group.producers) > 1:
        return "its channels are sums of several layers"
    if group.producers[0].bias is None or any(one.bias is None for one in group.consumers):
        return "one of them has no bias"
    odd = sorted(group.between - STRAIGHT)
    return f"{odd[0]} between them does not keep offsets" if odd else ""


def _damp(
    edits: WeightEdits, group: ChannelGroup, values: Mapping[TensorRef, Array], shapes: Mapping[TensorRef, Shape]
) -> list[str]:
    layer = group.producers[0]
    peaks = np.abs(layer.by_output(edits.weights(layer))).max(axis=1)
    top = float(peaks.max())
    balance = _Balance(edits, group, values, shapes)
    best, chosen = balance.error(top, {}), dict[int, Damping]()
    start = best
    for limit in top * LADDER if top > 0 else ():
        outliers = np.flatnonzero(peaks > limit)
        if outliers.size > max(2, int(peaks.size * MOST)):
            break
        tried = {int(one): balance.damped(int(one), limit / peaks[one]) for one in outliers}
        error = balance.error(limit, tried)
        if error < best:
            best, chosen = error, tried
    if not chosen or best > WORTH * start:
        return []
    _apply(edits, group, chosen)
    after = float(np.abs(edits.weights(layer)).max())
    return [
        f"Damped {len(chosen)} of {peaks.size} channels of {layer.name}: largest weight {after:.3g}, not {top:.3g}."
    ]


def _apply(edits: WeightEdits, group: ChannelGroup, chosen: Mapping[int, Damping]) -> None:
    layer = group.producers[0]
    places = list(chosen)
    scale, gain, shift, offset = np.ones(layer.channels), np.ones(layer.channels), *np.zeros((2, layer.channels))
    scale[places] = [one.scale for one in chosen.values()]
    shift[places] = [one.shift for one in chosen.values()]
    gain[places] = [one.gain for one in chosen.values()]
    offset[places] = [one.offset for one in chosen.values()]
    edits.set_weights(layer, layer.scale_outputs(edits.weights(layer), scale))
    edits.set_bias(layer, edits.bias(layer) * scale + shift)
    for reader in group.consumers:
        weights = edits.weights(reader)
        edits.set_bias(reader, edits.bias(reader) + added(reader, weights, offset))
        edits.set_weights(reader, reader.scale_inputs(weights, gain))


def added(layer: WeightedLayer, weights: Array, constant: Array) -> Array:
    """What a constant added to each input channel adds to each output channel, away from padding."""
    return np.asarray(layer.by_output(layer.scale_inputs(weights, constant)).sum(axis=1))


class _Balance:
    """The error of a producer's channels, and of the weights that read them, at what the consumers give."""

    def __init__(
        self,
        edits: WeightEdits,
        group: ChannelGroup,
        values: Mapping[TensorRef, Array],
        shapes: Mapping[TensorRef, Shape],
    ) -> None:
        self._layer, self._sums = group.producers[0], values[group.producers[0].sums]
        weights = edits.weights(self._layer)
        live = np.abs(self._layer.by_output(weights)).max(axis=1) > 0
        through = np.mean(_open(self._layer, self._sums), axis=0) * live
        read = [one.by_input(edits.weights(one), group.channels) for one in group.consumers]
        self._influence = np.sum([np.sum(one**2, axis=1) for one in read], axis=0)
        made = _input_power(self._layer, weights, values[self._layer.data])
        self._noise = float(np.sum(made * through * self._influence)) / 12
        self._peaks = [np.abs(one).max(axis=1) for one in read]
        self._read_noise = [
            float(np.sum(_input_power(one, edits.weights(one), values[one.data]))) / 12 for one in group.consumers
        ]
        self._edge = max(
            edge_fraction(one, edits.weights(one), shapes[one.data], shapes[one.sums]) for one in group.consumers
        )

    def damped(self, channel: int, scale: float) -> Damping:
        """The best damping of one channel."""
        return damping(self._layer, self._sums[:, channel], scale, self._edge)

    def error(self, top: float, chosen: Mapping[int, Damping]) -> float:
        """With ``top`` the largest weight of the producer."""
        noise = (top / 127) ** 2 * self._noise
        gains = np.ones(self._influence.size)
        gains[list(chosen)] = [one.gain for one in chosen.values()]
        for peaks, power in zip(self._peaks, self._read_noise, strict=True):
            noise += float((peaks * gains).max() / 127) ** 2 * power
        return noise + CAUTION * sum(one.error * float(self._influence[place]) for place, one in chosen.items())


def _open(layer: WeightedLayer, sums: Array) -> Array:
    """Where the activation lets changes of its sums through."""
    if not layer.activation:
        return np.ones(sums.shape)
    return np.asarray((sums > 0) & ((sums < 6) | (layer.activation != "Relu6")), float)


def _input_power(layer: WeightedLayer, weights: Array, data: Array) -> Array:
    """E[Σ input²] of each output channel, over all weights of it."""
    power = np.mean(data**2, axis=0)
    ones = np.ones(weights.shape)
    return np.asarray(layer.by_output(layer.scale_inputs(ones, power)).sum(axis=1))


def edge_fraction(layer: WeightedLayer, weights: Array, before: Shape, after: Shape) -> float:
    """Which fraction of a layer's positions read padding, by the sizes of what it reads and gives; 1 when not known."""
    if layer.node.op == "MatMul" or attr_text(layer.node, "padding", "VALID") == "VALID":
        return 0.0
    strides = layer.node.attrs.get("strides")
    if before is None or after is None or not isinstance(strides, tuple):
        return 1.0
    inside = 1.0
    for axis in (1, 2):
        extent, count, step = before[axis], after[axis], strides[axis]
        if not extent or not count or not isinstance(step, int):
            return 1.0
        padding = max((count - 1) * step + weights.shape[axis - 1] - extent, 0)
        touched = -(-(padding // 2) // step) + -(-(padding - padding // 2) // step)
        inside *= max(0.0, 1 - touched / count)
    return 1 - inside
