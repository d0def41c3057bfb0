"""Biases of layers under correction: what can be changed, and what has to be left alone."""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array, Graph
from tfmobile.quantization.improvements.draft import Improved
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers

LARGEST = 2**31 - 1
"""A bias is stored as an int32 number of steps."""


class BiasChanges:
    """Takes shifts away from the biases of ``graph``, layer by layer."""

    def __init__(self, graph: Graph) -> None:
        layers, left = weighted_layers(graph)
        self._layers = {layer.node.name: layer for layer in layers}
        self._edits = WeightEdits(graph)
        self._sizes: dict[str, float] = {}
        self._skipped = list(left)

    def subtract(self, node: str, shift: Array, step: Array) -> None:
        """Take ``shift`` [channels], in real values, from the bias of the layer with the weights of ``node``.

        ``step`` [1 or channels]: the real value of 1 in the integer bias. A layer is left alone when it has no bias, or
        the new one would not be a finite int32.
        """
        layer = self._layers.pop(node, None)
        if layer is None:
            return
        new = self._edits.bias(layer) - shift.astype(np.float64)
        reason = _unfit(layer, new, step)
        if reason:
            self._skipped.append(f"Left the bias of '{layer.name}' as it is: {reason}.")
            return
        self._edits.set_bias(layer, new)
        self._sizes[layer.name] = float(np.abs(shift).max(initial=0.0))

    def skip(self, node: str, reason: str) -> None:
        """Leave a layer alone."""
        layer = self._layers.pop(node, None)
        if layer is not None:
            self._skipped.append(f"Left the bias of '{layer.name}' as it is: {reason}.")

    def finish(self) -> Improved:
        """The graph with all changes; layers that were not spoken of are named as left alone."""
        for node in list(self._layers):
            self.skip(node, "the quantized model does not compute it as one integer layer")
        if not self._sizes:
            return Improved(skipped=tuple(self._skipped))
        graph = self._edits.finish()
        largest = max(self._sizes, key=lambda name: self._sizes[name])
        summary = (
            f"Corrected the biases of {len(self._sizes)} layers, by up to {self._sizes[largest]:.3g} (in '{largest}')."
        )
        return Improved(
            graph=graph,
            changed=(summary, *self._edits.copied),
            skipped=tuple(self._skipped),
            facts={"layers": float(len(self._sizes)), "largest_shift": self._sizes[largest]},
        )


def _unfit(layer: WeightedLayer, bias: Array, step: Array) -> str:
    if layer.bias is None:
        return "the layer has none to correct"
    if not np.isfinite(bias).all():
        return "its correction is not finite"
    if np.any(np.abs(bias) > LARGEST * step.astype(np.float64)):
        return "the new one would not fit into 32 bits"
    return ""
