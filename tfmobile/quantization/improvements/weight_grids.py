"""The whole numbers that a back end makes of a layer's weights, and the float weights that it makes them of for sure.

A min-max back end divides by s = max|w| / 127, by channel or by tensor. Weights that are whole multiples of s, with one
of ±127, give the same s again but for the last bit, and so exactly these whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfmobile.graph.match import source
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.quantization.improvements.weighted_layers import WeightedLayer, weighted_layers
from tfmobile.quantization.simulation.matching import match
from tfmobile.quantization.simulation.reading import QuantizedModel, Tensor, read

LEVELS = 127
NEAR = 1e-3
"""Weights this close to whole multiples of the step, in steps, are on the grid. Float32 keeps 127 to 1e-5."""


@dataclass(frozen=True)
class WeightGrid:
    """``steps`` [channels, weights of each], float64: the layer's weights, divided by their ``scales`` [1 or channels].

    ``levels``: the largest whole number.
    """

    steps: Array
    scales: Array
    levels: int = LEVELS

    @property
    def kept(self) -> Array:
        """Which weights must stay what they are, so that the scales stay: the largest of each, [channels, weights]."""
        size = np.abs(self.steps)
        largest = size.max() if self.scales.size == 1 else size.max(axis=1, keepdims=True)
        return np.asarray(size >= largest * (1 - 1e-6))

    @property
    def usual(self) -> Array:
        """Channels whose largest weight is at the end of the grid, [channels]; of the others, nothing is known.

        Scales of channels with hardly any weight follow from their bias, which must fit into 32 bits.
        """
        size = np.abs(self.steps)
        largest = np.full(len(size), size.max()) if self.scales.size == 1 else size.max(axis=1)
        return np.asarray(np.abs(largest - self.levels) < NEAR * self.levels)

    def real(self, whole: Array) -> Array:
        """The weights of whole numbers, [channels, weights of each], float64."""
        return np.asarray(whole * self.scales.astype(np.float64).reshape(-1, 1))


def grid_of(layer: WeightedLayer, weights: Array, scales: Array) -> WeightGrid:
    """The grid of a layer whose weights have been given ``scales``, of the quantized model."""
    return WeightGrid(layer.by_output(weights.astype(np.float64)) / scales.astype(np.float64).reshape(-1, 1), scales)


def from_rows(layer: WeightedLayer, rows: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of ``layer.by_output``: weights of ``shape`` from [channels, weights of each]."""
    places = layer.by_output(np.arange(rows.size).reshape(shape))
    found = np.empty(rows.size, rows.dtype)
    found[places.reshape(-1)] = rows.reshape(-1)
    return found.reshape(shape)


def check_grid(graph: Graph, quantized: bytes) -> tuple[str, ...]:
    """Names of layers whose weights in ``graph`` are on a grid, yet ``quantized`` has other whole numbers for them.

    Layers that are not on a grid, or that the .tflite leaves in float, are not compared.
    """
    model = read(quantized)
    stored = stored_weights(graph, model)
    return tuple(layer.name for layer in weighted_layers(graph)[0] if _differs(graph, layer, stored.get(layer.output)))


def stored_weights(graph: Graph, model: QuantizedModel) -> dict[TensorRef, Tensor]:
    """The int8 weights of each operator that has some, by the tensor of the graph that it gives."""
    refs = match(graph, model)
    return {
        refs[operator.outputs[0].index]: operator.inputs[1]
        for operator in model.operators
        if operator.op in OUTPUT_AXIS and operator.outputs[0].index in refs and operator.inputs[1] is not None
    }


OUTPUT_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
"""Operators with weights, and the axis of their output channels."""


def _differs(graph: Graph, layer: WeightedLayer, tensor: Tensor | None) -> bool:
    weights = source(graph.nodes, layer.weights).value
    if weights is None or tensor is None or tensor.value is None or tensor.dtype != "int8":
        return False
    rows = layer.by_output(weights.astype(np.float64))
    axis = 3 if layer.depthwise else 0
    found = np.moveaxis(tensor.value, axis, 0).reshape(rows.shape)
    size = np.abs(rows).max(axis=1, keepdims=True) if tensor.scales.size > 1 else np.abs(rows).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.nan_to_num(rows * (LEVELS / size))
    whole = np.rint(wanted)
    # A single weight is on any grid.
    on_grid = (np.abs(wanted - whole).max(axis=1, initial=0.0) < NEAR) & (np.count_nonzero(rows, axis=1) > 1)
    return bool((found != whole)[on_grid].any())
