"""Shapes and dtypes of all tensors by TensorFlow's own inference. Nothing is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from tfmobile.graph.edit import needed
from tfmobile.graph.large_constants import lifted
from tfmobile.graph.model import Graph, Node, Shape, ShapeAttr, TensorRef
from tfmobile.graph.run import check_ops, collect, import_graph, type_of

_LARGE = 4096
"""Constants of this many bytes say nothing about shapes, and are slow to hand to TensorFlow."""


def infer_shapes(graph: Graph) -> dict[TensorRef, Shape]:
    """The shape of every output of every node, given the shapes of the graph's inputs; raises as ``infer_types``."""
    return {ref: shape for ref, (shape, _) in infer_types(graph).items()}


def infer_types(graph: Graph, wanted: Collection[TensorRef] | None = None) -> dict[TensorRef, tuple[Shape, str]]:
    """Shape and dtype of every output of every node, given the shapes of the graph's inputs.

    With ``wanted``, of these only, and TensorFlow sees only what they depend on.

    Raises UnsupportedError for an op this TensorFlow does not have, ModelError for a graph it does not accept.
    """
    import tensorflow as tf

    if wanted is not None:
        names = needed(graph.nodes, {ref.node for ref in wanted})
        graph = dataclasses.replace(graph, nodes={name: node for name, node in graph.nodes.items() if name in names})
    check_ops(graph)
    tf_graph = tf.Graph()
    small, _ = lifted(graph, _LARGE)
    import_graph(dataclasses.replace(small, nodes=_with_input_shapes(small)), tf_graph)
    found = _types(tf_graph, wanted)
    del tf_graph
    collect(len(graph))
    return found


def _types(tf_graph: Any, wanted: Collection[TensorRef] | None) -> dict[TensorRef, tuple[Shape, str]]:
    if wanted is not None:
        return {ref: type_of(tf_graph.get_tensor_by_name(f"{ref.node}:{ref.index}")) for ref in wanted}
    return {
        TensorRef(operation.name, index): type_of(tensor)
        for operation in tf_graph.get_operations()
        for index, tensor in enumerate(operation.outputs)
    }


def _with_input_shapes(graph: Graph) -> dict[str, Node]:
    nodes = dict(graph.nodes)
    for spec in graph.inputs:
        node = nodes.get(spec.ref.node)
        if node is not None and node.op == "Placeholder" and spec.shape is not None:
            nodes[node.name] = dataclasses.replace(node, attrs={**node.attrs, "shape": ShapeAttr(spec.shape)})
    return nodes
