"""Shape inference at the border to TensorFlow."""

from __future__ import annotations

import pytest

from tests.inspection.graphs import Nodes
from tfmobile.errors import UnsupportedError
from tfmobile.graph.model import Graph, TensorRef
from tfmobile.graph.shapes import infer_shapes


def graph_of(nodes: Nodes, output: str) -> Graph:
    graph = nodes.source(output).graph
    assert graph is not None
    return graph


def test_shapes_follow_from_the_shape_of_the_input() -> None:
    nodes = Nodes((1, 8, 8, 3))
    nodes.convolution("c", "x", 3, 3, 3, 16)
    nodes.norm("y", "c", 16)
    shapes = infer_shapes(graph_of(nodes, "y"))
    assert shapes[TensorRef("x")] == (1, 8, 8, 3)
    assert shapes[TensorRef("y")] == (1, 8, 8, 16)
    assert shapes[TensorRef("y", 1)] == (16,)


def test_an_open_dimension_stays_open() -> None:
    nodes = Nodes((None, 4))
    nodes.unary("y", "Relu", "x")
    assert infer_shapes(graph_of(nodes, "y"))[TensorRef("y")] == (None, 4)


def test_an_op_that_tensorflow_does_not_have_is_named() -> None:
    nodes = Nodes()
    nodes.unary("y", "NoSuchOp", "x")
    with pytest.raises(UnsupportedError, match="NoSuchOp"):
        infer_shapes(graph_of(nodes, "y"))
