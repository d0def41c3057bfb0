"""A frozen graph to a float .tflite, by TensorFlow's own converter."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfmobile.conversion.failure import explain, refuse_early
from tfmobile.conversion.silence import silenced, tensorflow
from tfmobile.errors import UnsupportedError
from tfmobile.graph.graphdef import to_graph_def
from tfmobile.graph.model import Graph, ShapeAttr, TensorRef
from tfmobile.runtime import flatbuffer


def convert(graph: Graph, *, own_ranges: str = "") -> bytes:
    """The graph as a float32 .tflite with one signature, ``serving_default``, of the graph's input and output keys.

    ``own_ranges``, a type for inputs and outputs: the graph's FakeQuant nodes are made into integer arithmetic.
    Deterministic: the same graph gives the same bytes. Raises UnsupportedError naming the ops and nodes that TFLite
    cannot compute, and ToolError without TensorFlow.
    """
    refuse_early(graph)
    tf = tensorflow()
    outputs = list(dict.fromkeys(spec.ref for spec in graph.outputs))
    try:
        with silenced():
            graph_def = to_graph_def(_with_shapes(graph))
            content = _convert(tf, graph_def, [spec.ref for spec in graph.inputs], outputs, own_ranges)
    except Exception as cause:
        # The importer and MLIR raise ValueError, KeyError, ConverterError, and others from C++.
        raise explain(graph, cause) from cause
    return _with_signature(content, graph, outputs)


def _with_shapes(graph: Graph) -> Graph:
    """The graph with the shapes of its input specs on the placeholders, which decide what the .tflite accepts."""
    nodes = dict(graph.nodes)
    for spec in graph.inputs:
        node = nodes[spec.ref.node]
        if node.op == "Placeholder":
            attrs = {**node.attrs, "shape": ShapeAttr(spec.shape)}
            nodes[node.name] = dataclasses.replace(node, attrs=attrs)
    return dataclasses.replace(graph, nodes=nodes)


def _convert(
    tf: Any, graph_def: Any, inputs: Sequence[TensorRef], outputs: Sequence[TensorRef], own_ranges: str
) -> bytes:
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
    get = wrapped.graph.get_tensor_by_name
    function = wrapped.prune(
        [get(f"{ref.node}:{ref.index}") for ref in inputs], [get(f"{ref.node}:{ref.index}") for ref in outputs]
    )
    # Not from_saved_model or from_keras_model: they trace again, and are slower by seconds.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if own_ranges:
        # Without it, FakeQuant becomes pairs of QUANTIZE and DEQUANTIZE around float arithmetic.
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(own_ranges)
    return bytes(converter.convert())


def _with_signature(content: bytes, graph: Graph, outputs: Sequence[TensorRef]) -> bytes:
    model = flatbuffer.read(content)
    main = model.subgraphs[0]
    made, given = list(main.inputs), list(main.outputs)
    if len(made) != len(graph.inputs) or len(given) != len(outputs):
        raise UnsupportedError(
            "The converter changed the number of inputs or outputs.",
            why=f"{len(graph.inputs)} inputs became {len(made)}, {len(outputs)} outputs became {len(given)}.",
            fixes=["Name the inputs and outputs yourself: --input NODE --output NODE"],
        )
    position = dict(zip(outputs, given, strict=True))
    flatbuffer.set_signature(
        model,
        {spec.key: int(index) for spec, index in zip(graph.inputs, made, strict=True)},
        {spec.key: int(position[spec.ref]) for spec in graph.outputs},
    )
    return flatbuffer.write(model)
