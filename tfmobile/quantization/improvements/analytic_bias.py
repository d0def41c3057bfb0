"""Analytic bias correction: what rounding the weights does to each channel's mean, worked out without running anything.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction" (section 4.2): a layer with
weights W + ΔW gives, in the mean, ΔW · E[x] too much. E[x] is the float model's mean of each input channel, as it was
measured. What padding adds at borders, and the shifts of layers before, are not counted: ``bias_correction`` does both.
"""

from __future__ import annotations

import numpy as np

from tfmobile.artifacts import Statistics
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import PASS_THROUGH, source
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.bias_changes import BiasChanges
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.improvements.weighted_layers import WeightedLayer, weighted_layers
from tfmobile.quantization.simulation.stored_weights import StoredWeights, stored_weights
from tfmobile.quantization.simulation.tensor_places import keys_of_tensors

NAME = "correct-bias-analytic"
KEEP_MEANS = frozenset({"Reshape", "Squeeze", "ExpandDims", "AvgPool", "Mean"}) | PASS_THROUGH
"""Ops behind which each channel has the mean that it had before; flattened, channels repeat."""


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Correct the biases of all layers whose input channels have known means. No sample is read."""
    stored = stored_weights(draft.graph, draft.quantized)
    means = _Means(draft.graph, keys_of_tensors(draft.graph, draft.floating), draft.statistics)
    changes = BiasChanges(draft.graph)
    layers, _ = weighted_layers(draft.graph)
    for done, layer in enumerate(layers):
        progress(NAME, done, len(layers))
        found = stored.get(layer.node.name)
        if found is None:
            continue
        mean = means.of(layer.data)
        if mean is None:
            changes.skip(layer.node.name, "the means of the channels it reads are not known")
            continue
        changes.subtract(layer.node.name, _shift(draft.graph, layer, found, mean), found.step)
    progress(NAME, len(layers), len(layers))
    return changes.finish()


def _shift(graph: Graph, layer: WeightedLayer, stored: StoredWeights, mean: Array) -> Array:
    """How much each output channel's mean is too large: [channels]."""
    exact = source(graph.nodes, layer.weights).value
    assert exact is not None
    rows = layer.by_output(stored.real.astype(np.float64) - exact)
    if layer.depthwise:
        return np.asarray(rows.sum(axis=1) * np.repeat(mean, layer.channels // mean.size))
    return np.asarray(rows @ np.tile(mean, rows.shape[1] // mean.size))


class _Means:
    """The mean of each channel of a tensor of the graph."""

    def __init__(self, graph: Graph, keys: dict[TensorRef, str], statistics: Statistics) -> None:
        self._editor, self._keys, self._statistics = GraphEditor(graph), keys, statistics

    def of(self, ref: TensorRef) -> Array | None:
        """[channels] float64; None where it was not measured."""
        while True:
            key = self._keys.get(ref)
            found = self._statistics.tensors.get(key) if key is not None else None
            if found is not None and found.channel_means is not None:
                return found.channel_means.astype(np.float64)
            node = self._editor[ref.node]
            if node.op not in KEEP_MEANS or ref.index:
                return None
            ref = node.inputs[0]
