"""Where in the float graph an operator of the .tflite is: its node with weights, its sums before activation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, Graph, Node, TensorRef
from tfmobile.quantization.simulation.fragments import Fragments
from tfmobile.quantization.simulation.reading import Operator
from tfmobile.quantization.simulation.weighted_kernels import WEIGHTED, WEIGHTS
from tfmobile.scheme.fusion import Fusion, fusion
from tfmobile.scheme.int8 import LAYERS


class Places:
    """``refs``: index of a tensor of the .tflite → tensor of ``graph``."""

    def __init__(self, graph: Graph, refs: dict[int, TensorRef], fragments: Fragments) -> None:
        self._editor, self._refs, self._fragments = GraphEditor(graph), refs, fragments

    def head(self, operator: Operator, stops: Callable[[TensorRef], bool]) -> Node | None:
        """The one node with constant weights that the operator was made from, between its output and ``stops``."""
        heads = self._heads(operator, stops)
        return heads[0] if len(heads) == 1 and self._same_weights(operator, heads[0]) else None

    def deceives(self, operator: Operator, stops: Callable[[TensorRef], bool]) -> bool:
        """Whether the operator's weights are not those of the nodes it is named after.

        So it is when the converter folded more into the weights, such as a multiplication behind the layer.
        """
        heads = self._heads(operator, stops)
        return bool(heads) and not any(self._same_weights(operator, head) for head in heads)

    def _heads(self, operator: Operator, stops: Callable[[TensorRef], bool]) -> list[Node]:
        ref = self._refs.get(operator.outputs[0].index)
        if ref is None or operator.op not in WEIGHTED or operator.inputs[WEIGHTS] is None:
            return []
        nodes, _ = self._fragments.nodes(ref, stops)
        return [node for node in nodes if node.op in LAYERS]

    def fusion(self, head: Node) -> Fusion:
        """The layer's bias, activation and last node."""
        return fusion(self._editor, head)

    def before_activation(self, operator: Operator, head: Node | None) -> TensorRef | None:
        """The float sums with bias, where the operator ends where the layer does."""
        ref = self._refs.get(operator.outputs[0].index)
        if head is None or ref is None:
            return None
        found = self.fusion(head)
        if found.tail != ref.node:
            return None
        return self._editor[found.tail].inputs[0] if found.activation else TensorRef(found.tail)

    def _same_weights(self, operator: Operator, head: Node) -> bool:
        """Whether the integers are the node's weights, to within one step: names alone may deceive."""
        stored = operator.inputs[WEIGHTS]
        exact = source(self._editor, head.inputs[LAYERS[head.op].weights]).value
        if stored is None or stored.value is None or exact is None or stored.value.size != exact.size:
            return False
        return bool(
            np.all(np.abs(in_graph_layout(operator, exact.shape, head) - exact) <= _step(operator, exact, head))
        )


def data_of(head: Node | None) -> TensorRef | None:
    """The data that the node with weights reads."""
    return None if head is None else head.inputs[LAYERS[head.op].data]


def in_graph_layout(operator: Operator, shape: tuple[int, ...], head: Node) -> Array:
    """The integer weights as real values, float32, in the shape that the node's weights have."""
    stored = operator.inputs[WEIGHTS]
    assert stored is not None
    assert stored.value is not None
    scales = _along(stored.scales, stored.axis, stored.value.ndim)
    return _turned(operator.op, stored.value.astype(np.float32) * scales, shape, head)


def _step(operator: Operator, exact: Array, head: Node) -> Array:
    stored = operator.inputs[WEIGHTS]
    assert stored is not None
    assert stored.value is not None
    scales = _along(stored.scales, stored.axis, stored.value.ndim)
    return _turned(operator.op, np.broadcast_to(scales, stored.value.shape), exact.shape, head) * np.float32(1.01)


def _along(scales: Array, axis: int, rank: int) -> Array:
    shape = [1] * rank
    if scales.size > 1:
        shape[axis] = scales.size
    return scales.reshape(shape)


def _turned(op: str, weights: Array, shape: tuple[int, ...], head: Node) -> Array:
    """From the .tflite's order of axes to TensorFlow's."""
    if op == "CONV_2D":
        weights = weights.transpose(1, 2, 3, 0)
    elif op == "TRANSPOSE_CONV":
        weights = weights.transpose(1, 2, 0, 3)
    elif op == "FULLY_CONNECTED" and not (head.attrs.get("transpose_b") or head.attrs.get("adj_y")):
        weights = weights.reshape(weights.shape[0], -1).T
    return np.ascontiguousarray(weights).reshape(shape)
