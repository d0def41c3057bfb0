"""What is known against a model on each target."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.inspection.graphs import Nodes
from tests.inspection.test_inspect_tflite import compiled, convolution
from tests.runtime.tiny import Builder, add_one
from tfmobile.graph.model import DType, TensorSpec
from tfmobile.inspection import inspect_graph, inspect_tflite
from tfmobile.inspection.facts import TargetFact
from tfmobile.inspection.target_fit import recipe_of
from tfmobile.runtime import flatbuffer
from tfmobile.targets import target_names


def of_graph(nodes: Nodes, output: str = "y") -> dict[str, TargetFact]:
    return {fact.target: fact for fact in inspect_graph(nodes.source(output)).targets}


def of_file(content: bytes) -> dict[str, TargetFact]:
    return {fact.target: fact for fact in inspect_tflite(content, "m.tflite").targets}


def test_every_target_has_its_fact() -> None:
    nodes = Nodes()
    nodes.convolution("y", "x", 3, 3, 3, 8)
    found = of_graph(nodes)
    assert tuple(found) == target_names()
    assert all(fact.ok and not fact.problems for fact in found.values())


def test_an_op_without_a_builtin_stops_every_target() -> None:
    nodes = Nodes()
    nodes.unary("y", "Digamma", "x")
    assert all(not fact.ok and fact.ops[0].op == "Digamma" for fact in of_graph(nodes).values())


def test_what_the_edge_tpu_lacks_is_told_by_op() -> None:
    nodes = Nodes()
    nodes.unary("y", "Sin", nodes.unary("a", "Sin", nodes.convolution("c", "x", 3, 3, 3, 8)))
    found = of_graph(nodes)
    assert found["cpu"].ok
    assert [(group.op, group.count) for group in found["edge-tpu"].ops] == [("Sin", 2)]
    assert "SIN" in found["edge-tpu"].ops[0].why
    assert found["edge-tpu"].prediction


def test_a_shape_that_is_known_only_when_it_runs_is_told() -> None:
    nodes = Nodes((1, 8))
    nodes.add("zero", "Const", dtype=DType("float32"), value=np.zeros((), np.float32))
    nodes.binary("large", "Greater", "x", "zero")
    nodes.add("y", "Where", ["large"], T=DType("bool"))
    found = of_graph(nodes)
    assert found["cpu"].ok
    assert [group.op for group in found["microcontroller"].ops] == ["Where"]


def test_an_input_in_double_precision_is_told() -> None:
    nodes = Nodes()
    nodes.input = TensorSpec("image", nodes.input.ref, "float64", nodes.input.shape)
    nodes.nodes["x"] = dataclasses.replace(
        nodes.nodes["x"], attrs={**nodes.nodes["x"].attrs, "dtype": DType("float64")}
    )
    nodes.add("y", "Relu", ["x"], T=DType("float64"))
    assert "float64" in of_graph(nodes)["cpu"].problems[0]


def test_a_batch_is_told_where_inner_dimensions_count() -> None:
    nodes = Nodes((4, 8, 8, 3))
    nodes.unary("y", "Relu", "x")
    found = of_graph(nodes)
    assert found["cpu"].ok
    assert "innermost" in found["edge-tpu"].problems[0]


def test_an_integer_file_fits_everywhere_and_a_float_one_not_on_the_edge_tpu() -> None:
    assert all(fact.ok for fact in of_file(convolution()).values())
    found = of_file(add_one())
    assert found["cpu"].ok
    assert [(group.op, group.why) for group in found["edge-tpu"].ops] == [("ADD", "computes in float")]


def test_a_custom_operator_is_told() -> None:
    build = Builder()
    x, y = build.tensor("x", [1, 4]), build.tensor("y", [1, 4])
    build.operator("CUSTOM", [x], [y])
    build.codes[-1].customCode = "MyOwn"
    found = of_file(flatbuffer.write(build.model([x], [y])))
    assert [group.op for group in found["android"].ops] == ["MyOwn"]
    assert "MyOwn" in found["android"].problems[0]


def test_a_file_compiled_for_the_edge_tpu_fits_only_there() -> None:
    found = of_file(compiled())
    assert [name for name, fact in found.items() if fact.ok] == ["edge-tpu"]


@pytest.mark.parametrize(
    ("scheme", "recipe"),
    [
        ("float32", "float32"),
        ("float16 weights, float32 arithmetic", "float16"),
        ("dynamic int8 (weights only, per channel)", "dynamic-int8"),
        ("dynamic int4 (weights only, per channel)", "weight-int4"),
        ("full int8, per channel", "int8"),
        ("full uint8, per tensor", "int8-per-tensor"),
        ("full int16 activations, int8 weights, per channel", "int16x8"),
        ("bfloat16", ""),
    ],
)
def test_the_recipe_is_known_by_the_quantization(scheme: str, recipe: str) -> None:
    assert recipe_of(scheme) == recipe
