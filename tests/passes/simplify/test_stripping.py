"""Inputs that strip-unused makes, and what is compared then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.errors import ModelError, PassSyntaxError
from tfmobile.graph.model import DType, Graph, ShapeAttr
from tfmobile.passes import rewrite
from tfmobile.passes.strip_unused import StripUnused


def _graph() -> Graph:
    import tensorflow as tf

    def build(x: Any) -> Any:
        inner = tf.exp(tf.nn.relu(x, name="relu"), name="inner")
        return tf.cast(tf.reduce_sum(inner, axis=1), tf.float32, name="y")

    return tf1(build, (2, 3))


def test_a_new_input_is_fed_with_what_the_graph_computed_there() -> None:
    x = np.array([[0.0, 1.0, -2.0], [0.5, 0.5, 0.5]], "float32")
    result = rewrite(_graph(), "strip_unused_nodes(name=inner)", [{"x": x}], tolerance=1e-6)
    (step,) = result.steps
    assert not step.refused
    assert step.max_rel == 0
    assert [spec.key for spec in result.graph.inputs] == ["x", "inner"]
    assert result.graph.inputs[1].shape == (2, 3)
    assert "relu" not in result.graph.nodes
    assert step.changed[0] == "Made 'inner' (Exp) an input that takes float32[2,3]."


def test_an_open_shape_is_compared_and_another_one_is_told() -> None:
    graph = _graph()
    (step,) = rewrite(graph, 'strip_unused(name=x, shape_for_name="?,3")').steps
    assert step.max_rel == 0
    result = rewrite(graph, 'strip_unused(name=x, shape_for_name="5,3")')
    (step,) = result.steps
    assert not step.refused
    assert step.max_rel is None
    assert "what the graph before it cannot take" in step.reason
    assert result.graph.nodes["x"].attrs["shape"] == ShapeAttr((5, 3))
    assert step.changed == ("The input 'x' takes float32[5,3]; it took float32[2,3].",)


def test_a_shape_that_the_model_cannot_take_is_refused() -> None:
    (step,) = rewrite(_graph(), 'strip_unused(name=x, shape_for_name="7")').steps
    assert step.refused
    assert "does not run" in step.reason


def test_a_type_is_checked_and_an_op_nobody_knows_is_believed() -> None:
    graph = _graph()
    with pytest.raises(ModelError, match="cannot take uint8") as found:
        StripUnused(name_=("inner",), type_for_name=("uint8",)).apply(graph)
    assert "is float32" in found.value.why
    with pytest.raises(ModelError, match="no node 'nowhere'"):
        StripUnused(name_=("nowhere",)).apply(graph)
    nodes = {**graph.nodes, "relu": type(graph.nodes["relu"])("relu", "MyOwnOp", graph.nodes["relu"].inputs)}
    strange = Graph(nodes, graph.inputs, graph.outputs)
    result = StripUnused(name_=("relu",), type_for_name=("half",), shape_for_name=("[]",)).apply(strange)
    assert result.graph.nodes["relu"].attrs == {"dtype": DType("float16"), "shape": ShapeAttr(())}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("name=a, name=b, type_for_name=float", "one type_for_name for each name: 2, not 1"),
        ('shape_for_name="1,2"', "one shape_for_name for each name: 0, not 1"),
        ("type=real", "'real' is no type"),
        ('shape="1,x"', "'1,x' is no shape"),
        ("name=a, name=a", "'a' is named twice"),
    ],
)
def test_wrong_arguments(arguments: str, message: str) -> None:
    with pytest.raises(PassSyntaxError, match=message):
        rewrite(_graph(), f"strip_unused_nodes({arguments})")
