"""All that is known about one layer when its error is to be explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import Fidelity, Statistics, TensorStatistics
from tfmobile.diagnosis.layers import LayerError
from tfmobile.diagnosis.structure import QuantizedLayer
from tfmobile.graph.model import Array


@dataclass(frozen=True)
class LayerEvidence:
    """One layer: its grid and weights, what its output held, how far it is off, and how much that matters.

    ``statistics``: of its output over the calibration samples, None where they were not measured. ``inputs``: the
    evidence of the layers it reads. ``error``: None where the output is not in both models. ``impact`` 0 to 1: how much
    of a loss that matters comes from this layer. ``ties``: the fraction of samples whose best two answers the quantized
    model gives the same value; only for an output of the model.
    """

    layer: QuantizedLayer
    statistics: TensorStatistics | None
    inputs: tuple[LayerEvidence, ...]
    error: LayerError | None
    only_this: Fidelity | None = None
    all_but_this: Fidelity | None = None
    impact: float = 0.0
    ties: float = 0.0
    readers: tuple[str, ...] = ()
    """Operators that read its output."""

    @property
    def held(self) -> tuple[float, float]:
        """The smallest and the largest float value, with 0 inside; the grid's range where that is not known."""
        if self.statistics is None or not self.statistics.lows.size:
            return self.layer.grid.range
        low, high = self.statistics.range
        return min(low, 0.0), max(high, 0.0)

    @property
    def reach(self) -> Array:
        """[channels] the largest absolute value of each channel; empty where channels were not measured."""
        found = self.statistics
        if found is None or found.channel_lows is None or found.channel_highs is None:
            return np.zeros(0)
        reach: Array = np.maximum(np.abs(found.channel_lows), np.abs(found.channel_highs)).astype(np.float64)
        return reach

    @property
    def steps(self) -> float:
        """How many steps of the grid the float values span, at most 255; 0 where the layer is float."""
        low, high = self.held
        return min((high - low) / self.layer.grid.scale, 255.0) if self.layer.grid.scale else 0.0


def gather(
    layers: Sequence[QuantizedLayer],
    statistics: Statistics,
    errors: Mapping[str, LayerError],
    impacts: Mapping[str, float],
    *,
    only_this: Mapping[str, Fidelity],
    all_but_this: Mapping[str, Fidelity],
    ties: float = 0.0,
) -> tuple[LayerEvidence, ...]:
    """One for each layer, in their order; effects and impacts by layer name."""
    made: dict[str, LayerEvidence] = {}
    for layer in layers:
        made[layer.name] = LayerEvidence(
            layer=layer,
            statistics=statistics.tensors.get(layer.tensor),
            inputs=tuple(made[name] for name in layer.inputs if name in made),
            error=errors.get(layer.name),
            only_this=only_this.get(layer.name),
            all_but_this=all_but_this.get(layer.name),
            impact=impacts.get(layer.name, 0.0),
            ties=ties if layer.answer else 0.0,
            readers=tuple(reader.op for reader in layers if layer.name in reader.inputs),
        )
    return tuple(made.values())
