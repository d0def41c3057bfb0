"""From a graph with FakeQuant to an int8 .tflite, by the settings that quantize-nodes names."""

from __future__ import annotations

import warnings
from typing import Any

from tfmobile.conversion.silence import silenced
from tfmobile.graph.graphdef import to_graph_def
from tfmobile.graph.model import Graph, TensorRef


def convert_int8(graph: Graph) -> bytes:
    """The .tflite; inputs and outputs stay float, in the graph's order."""
    import tensorflow as tf

    graph_def = to_graph_def(graph)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])

    def tensor(ref: TensorRef) -> Any:
        return wrapped.graph.get_tensor_by_name(f"{ref.node}:{ref.index}")

    function = wrapped.prune([tensor(spec.ref) for spec in graph.inputs], [tensor(spec.ref) for spec in graph.outputs])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(converter.convert())
