"""High-bias absorption: what a channel always is at least, the next layer adds once, so that the range gets smaller.

Nagel et al. 2019 (https://arxiv.org/abs/1906.04721), section 4.1.3, with the smallest sum seen on samples in place of
the one expected from the batch norm. For sums x ≥ c > 0, Relu gives x = (x − c) + c: the first layer's bias loses c,
and the second one's gains Σ weights · c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.graph.match import attr_text
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.channel_pairs import ChannelGroup, channel_groups
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.float_runs import Extremes, FloatRuns, Used, channel_extremes
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers

MARGIN = 0.1
"""This fraction of the span of sums stays above 0, for samples not seen."""
WORTH = 0.05
"""Less than this, of the largest value in the tensor, is not worth absorbing."""
TOLERANCE = 1e-3
"""The answer may move by this, relative to its largest value, where padding makes absorption inexact."""
CHECKED_SAMPLES = 16
SHIFTS = frozenset({"MaxPool", "AvgPool", "Mean", "Reshape", "Squeeze", "ExpandDims", "Identity"})
"""Between the layers: ops that give x + c for what they gave for x."""


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Absorb what channels before Relu, or before Relu6 that was never met, have at least.

    Exact on the samples where the next layer reads no padding. Where it does, the change is kept when the answer moves
    by at most TOLERANCE on samples.
    """
    used = Used(draft, samples)
    layers, left = weighted_layers(draft.graph)
    groups, skipped = channel_groups(draft.graph, layers)
    usable = [group for group in groups if not _unfit(group)]
    refused = [f"Left {group.name} alone: {_unfit(group)}." for group in groups if _unfit(group)]
    seen = channel_extremes(draft.graph, [group.producers[0].sums for group in usable], used, progress)
    graph, changed = draft.graph, list[str]()
    for group in usable:
        constant = absorbable(group.producers[0], seen[group.producers[0].sums])
        if not constant.any():
            continue
        candidate = _absorbed(graph, group, constant)
        moved = _moved(graph, candidate, used) if any(_padded(one, graph) for one in group.consumers) else 0.0
        if moved > TOLERANCE:
            refused.append(f"Left {group.name} alone: padding makes the answer move by {moved:.2g}, relatively.")
            continue
        graph = candidate
        count = int(np.sum(constant > 0))
        changed.append(f"Absorbed up to {constant.max():.3g} of {count} of {group.channels} channels: {group.name}.")
    everything = (*left, *skipped, *refused)
    if not changed:
        return Improved(skipped=everything)
    return Improved(graph, moves_activations=True, changed=tuple(changed), skipped=everything)


def absorbable(layer: WeightedLayer, seen: Extremes) -> Array:
    """How much of each channel can be absorbed; 0 where nothing is worth it."""
    lowest = seen.lows - MARGIN * (seen.highs - seen.lows)
    if layer.activation == "Relu6":
        lowest = np.where(seen.highs + MARGIN * (seen.highs - seen.lows) < 6, lowest, 0.0)
    top = float(np.max(np.clip(seen.highs, 0, 6 if layer.activation == "Relu6" else None)))
    return np.where(lowest > WORTH * top, lowest, 0.0)


def _unfit(group: ChannelGroup) -> str:
    if len(group.producers) > 1:
        return "its channels are sums of several layers"
    if group.producers[0].activation not in ("Relu", "Relu6"):
        return "there is no Relu, so its range can lie anywhere"
    if group.producers[0].bias is None or any(one.bias is None for one in group.consumers):
        return "one of them has no bias"
    odd = sorted(group.between - SHIFTS)
    return f"{odd[0]} between them does not keep constants" if odd else ""


def _absorbed(graph: Graph, group: ChannelGroup, constant: Array) -> Graph:
    edits = WeightEdits(graph)
    layer = group.producers[0]
    edits.set_bias(layer, edits.bias(layer) - constant)
    for reader in group.consumers:
        added = reader.by_output(reader.scale_inputs(edits.weights(reader), constant)).sum(axis=1)
        edits.set_bias(reader, edits.bias(reader) + added)
    return edits.finish()


def _padded(layer: WeightedLayer, graph: Graph) -> bool:
    """Whether some positions of the layer read padding."""
    if layer.node.op == "MatMul" or attr_text(layer.node, "padding", "VALID") == "VALID":
        return False
    weights = WeightEdits(graph).weights(layer)
    return tuple(weights.shape[:2]) != (1, 1)


def _moved(before: Graph, after: Graph, samples: Samples) -> float:
    """How far the answers part, relative to the largest value of each output."""
    refs = [spec.ref for spec in before.outputs]
    with FloatRuns(before, samples) as old, FloatRuns(after, samples) as new:
        pairs = list(zip(old.fetched(refs, CHECKED_SAMPLES), new.fetched(refs, CHECKED_SAMPLES), strict=True))
    return max((_apart(pairs, ref) for ref in refs), default=0.0)


def _apart(pairs: Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]], ref: TensorRef) -> float:
    key = str(ref)
    largest = max(float(np.abs(old[key]).max()) for old, _ in pairs)
    return max(float(np.abs(old[key] - new[key]).max()) for old, new in pairs) / max(largest, 1e-12)
