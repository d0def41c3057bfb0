"""The weights that a quantized .tflite holds, in the layout of the graph that it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfmobile.graph.match import source
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.quantization.simulation.fragments import Fragments
from tfmobile.quantization.simulation.matching import computed, match
from tfmobile.quantization.simulation.places import Places, in_graph_layout
from tfmobile.quantization.simulation.reading import Operator, read
from tfmobile.quantization.simulation.weighted_kernels import WEIGHTED, WEIGHTS
from tfmobile.scheme.int8 import LAYERS


@dataclass(frozen=True)
class StoredWeights:
    """``real``: float32, in the shape of the node's weights. ``step`` [1 or channels]: of the bias, in real values."""

    real: Array
    step: Array


def stored_weights(graph: Graph, quantized: bytes) -> dict[str, StoredWeights]:
    """By the name of the node with weights; of layers that compute with integers, and can be told apart."""
    model = read(quantized)
    refs = match(graph, model)
    places = Places(graph, refs, Fragments(None, graph, None, computed(graph)))
    known: set[TensorRef] = {spec.ref for spec in graph.inputs}
    found = {}
    for operator in model.operators:
        head = places.head(operator, known.__contains__)
        known.update(refs[one.index] for one in operator.outputs if one.index in refs)
        step = _step(operator)
        exact = source(graph.nodes, head.inputs[LAYERS[head.op].weights]).value if head is not None else None
        if head is not None and exact is not None and step is not None:
            found[head.name] = StoredWeights(in_graph_layout(operator, exact.shape, head), step)
    return found


def _step(operator: Operator) -> Array | None:
    data, weights = (operator.data[:1] or (None,))[0], operator.inputs[WEIGHTS] if operator.op in WEIGHTED else None
    if data is None or weights is None or not data.quantized:
        return None
    return np.asarray(data.scale * weights.scales)
