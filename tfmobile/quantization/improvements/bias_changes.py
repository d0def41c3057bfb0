"""Biases of layers under correction: what can be changed, and what has to be left alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.quantization.improvements.draft import Improved
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers

LARGEST = 2**31 - 1
"""A bias is stored as an int32 number of steps."""


class BiasChanges:
    """Takes shifts away from the biases of ``graph``, layer by layer; a layer without a bias gets one."""

    def __init__(self, graph: Graph) -> None:
        layers, left = weighted_layers(graph)
        self._layers = {layer.node.name: layer for layer in layers}
        self._edits = WeightEdits(graph)
        self._added: dict[str, Array] = {}
        self._sizes: dict[str, float] = {}
        self._skipped = list(left)

    def subtract(self, node: str, shift: Array, step: Array) -> None:
        """Take ``shift`` [channels], in real values, from the bias of the layer with the weights of ``node``.

        ``step`` [1 or channels]: the real value of 1 in the integer bias. A layer is left alone when the new bias would
        not be a finite int32.
        """
        layer = self._layers.pop(node, None)
        if layer is None:
            return
        new = self._edits.bias(layer) - shift.astype(np.float64)
        reason = _unfit(new, step)
        if reason:
            self._leave(layer, reason)
            return
        if layer.bias is None:
            self._added[node] = new.astype(np.float32)
        else:
            self._edits.set_bias(layer, new)
        self._sizes[layer.name] = float(np.abs(shift).max(initial=0.0))

    def skip(self, node: str, reason: str) -> None:
        """Leave a layer alone."""
        layer = self._layers.pop(node, None)
        if layer is not None:
            self._leave(layer, reason)

    def finish(self) -> Improved:
        """The graph with all changes; layers that were not spoken of are named as left alone."""
        for node in list(self._layers):
            self.skip(node, "the quantized model does not compute it as one integer layer")
        if not self._sizes:
            return Improved(skipped=tuple(self._skipped))
        graph = _with_biases(self._edits.finish(), self._added)
        largest = max(self._sizes, key=lambda name: self._sizes[name])
        changed = [
            f"Corrected the biases of {len(self._sizes)} layers, by up to {self._sizes[largest]:.3g} (in '{largest}')."
        ]
        if self._added:
            changed.append(f"Of these, {len(self._added)} had none and got one: {', '.join(sorted(self._added))}.")
        return Improved(
            compensates=True,
            graph=graph,
            changed=(*changed, *self._edits.copied),
            skipped=tuple(self._skipped),
            facts={"layers": float(len(self._sizes)), "largest_shift": self._sizes[largest]},
        )

    def _leave(self, layer: WeightedLayer, reason: str) -> None:
        self._skipped.append(f"Left the bias of '{layer.name}' as it is: {reason}.")


def _unfit(bias: Array, step: Array) -> str:
    if not np.isfinite(bias).all():
        return "its correction is not finite"
    if np.any(np.abs(bias) > LARGEST * step.astype(np.float64)):
        return "the new one would not fit into 32 bits"
    return ""


def _with_biases(graph: Graph, biases: Mapping[str, Array]) -> Graph:
    """Add a bias behind nodes; it takes the node's name, which users know, and the node gets another."""
    editor = GraphEditor(graph)
    for name, bias in biases.items():
        node = editor[name]
        sums = Node(editor.fresh(f"{name}/sums"), node.op, node.inputs, node.controls, node.attrs, node.device)
        editor.add(sums, beside=name)
        constant = editor.add_constant(f"{name}/bias", bias, beside=name)
        editor.replace(Node(name, "BiasAdd", (TensorRef(sums.name), constant), attrs={"T": DType("float32")}))
    return editor.finish(prune=False)
