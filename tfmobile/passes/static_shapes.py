"""Shapes that are known before the model runs: Shape, Size and Rank of tensors of fixed shape."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.match import CONTROL_FLOW, attr_dtype
from tfmobile.graph.model import Array, Graph, Node, Shape
from tfmobile.graph.shapes import infer_types

_SHAPE_OPS = frozenset({"Shape", "Size", "Rank"})


def fix_shapes(graph: Graph) -> tuple[Graph, int]:
    """The graph with a Const for every shape that follows from the shapes of its inputs, and how many.

    Left alone with TF1 control flow, where a Const would be alive in every branch.
    """
    asked = [node for node in graph if node.op in _SHAPE_OPS]
    if not asked or any(node.op in CONTROL_FLOW for node in graph):
        return graph, 0
    shapes = infer_types(graph, {node.inputs[0] for node in asked})
    editor = GraphEditor(graph)
    count = 0
    for node in asked:
        value = _value(node, shapes[node.inputs[0]][0])
        if value is not None and not editor.is_boundary(node.name):
            editor.replace(dataclasses.replace(constant(node.name, value), controls=node.controls))
            count += 1
    return (editor.finish(), count) if count else (graph, 0)


def _value(node: Node, shape: Shape) -> Array | None:
    """The answer of the op, for a shape that is known; a Rank needs no dimension."""
    if shape is None or (None in shape and node.op != "Rank"):
        return None
    dtype = np.dtype(attr_dtype(node, "out_type") or "int32")
    sizes = np.array(shape if node.op != "Rank" else (), np.int64)
    answer = {"Shape": sizes, "Size": sizes.prod(), "Rank": np.array(len(shape))}[node.op]
    return np.asarray(answer).astype(dtype)
