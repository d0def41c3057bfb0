"""Calls of functions, as TensorFlow writes them: inlined where that is right, whole where not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import freeze, tf1
from tfmobile.graph.functions import function_names
from tfmobile.graph.graphdef import from_graph_def, to_graph_def
from tfmobile.graph.model import DType, Graph, Node, TensorRef, TensorSpec
from tfmobile.graph.run import run
from tfmobile.passes import DEFAULT_PASSES, rewrite
from tfmobile.passes.simplify.inline_functions import InlineFunctions

_X = np.random.default_rng(5).normal(size=(2, 3)).astype("float32")


def _ops(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph)


def _inlined(graph: Graph) -> Graph:
    """The graph after the pass, which must answer the same to the last bit and find nothing more to do."""
    result = InlineFunctions().apply(graph)
    before, after = run(graph, {"x": _X}), run(result.graph, {"x": _X})
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value)
    assert not InlineFunctions().apply(result.graph).changed
    return result.graph


def _function(body: Any, **options: Any) -> Any:
    import tensorflow as tf

    return tf.function(body, **options)


def test_calls_become_the_nodes_of_the_function_also_those_inside() -> None:
    import tensorflow as tf

    inner = _function(lambda x: tf.nn.relu(x) * 2.0)
    outer = _function(lambda x: (inner(x) + inner(-x), tf.split(x, 3, axis=1)[2]))
    graph = tf1(lambda x: tf.add(outer(x)[0], outer(x + 1.0)[1], name="y"), (None, 3))
    assert "PartitionedCall" in _ops(graph)
    left = _inlined(graph)
    assert not {"PartitionedCall", "StatefulPartitionedCall"} & set(_ops(left))
    assert not left.library
    assert any(name.startswith("PartitionedCall/") for name in left.nodes)


def test_a_call_that_is_the_output_stays_as_a_copy_of_the_result() -> None:
    import tensorflow as tf

    function = _function(lambda x: (x * 2.0, tf.nn.relu(x)))
    graph = tf1(lambda x: function(x)[1], (2, 3))
    call = next(node.name for node in graph if node.op == "PartitionedCall")
    second = dataclasses.replace(graph, outputs=(TensorSpec("y0", TensorRef(call, 1), "float32", (2, 3)),))
    left = _inlined(second)
    assert left.nodes[call].op == "IdentityN"
    assert left.outputs == second.outputs


def test_order_is_kept_where_the_function_does_something() -> None:
    import tensorflow as tf

    def check(x: Any) -> Any:
        tf.raw_ops.Assert(condition=tf.reduce_all(x < 100.0), data=["large"])
        return x + 1.0

    def build(x: Any) -> Any:
        checked = _function(check)(x)
        with tf.control_dependencies([checked]):
            return tf.identity(x * 2.0, name="y")

    left = _inlined(tf1(build, (2, 3)))
    assert "Assert" in _ops(left), "what waited for the call still waits for the check in it"
    call = next(node.name for node in tf1(build, (2, 3)) if node.op == "StatefulPartitionedCall")
    assert not any(call == name or f"^{call}" in node.controls for name, node in left.nodes.items())


def test_nodes_without_inputs_wait_for_what_the_call_waited_for() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        with tf.control_dependencies([tf.raw_ops.Assert(condition=tf.reduce_all(x < 100.0), data=["large"])]):
            return tf.identity(_function(lambda x: x * tf.constant([1.0, 2.0, 3.0]))(x), name="y")

    left = _inlined(tf1(build, (2, 3)))
    constant = next(node for node in left if node.op == "Const" and node.value is not None and node.value.shape == (3,))
    assert constant.controls == ("Assert",)


def test_functions_that_are_ops_get_the_types_of_their_call() -> None:
    from tensorflow.core.framework import function_pb2

    library = function_pb2.FunctionDefLibrary()
    function = library.function.add()
    function.signature.name = "Twice"
    function.signature.attr.add(name="T", type="type")
    function.signature.input_arg.add(name="x", type_attr="T")
    function.signature.output_arg.add(name="y", type_attr="T")
    node = function.node_def.add(name="sum", op="AddV2", input=["x", "x"])
    node.attr["T"].placeholder = "T"
    function.ret["y"] = "sum:z:0"
    nodes = [
        Node("x", "Placeholder", attrs={"dtype": DType("float32")}),
        Node("twice", "Twice", (TensorRef("x"),), attrs={"T": DType("float32")}),
        Node("more", "Twice", (TensorRef("twice"),), attrs={"T": DType("float32")}),
    ]
    spec = TensorSpec("x", TensorRef("x"), "float32", (2, 3))
    end = TensorSpec("y", TensorRef("more"), "float32", (2, 3))
    graph = Graph({item.name: item for item in nodes}, (spec,), (end,), library.SerializeToString(), producer=1882)
    left = InlineFunctions().apply(graph).graph
    assert left.nodes["twice/sum"].attrs["T"] == DType("float32")
    assert left.nodes["more"] == Node("more", "Identity", (TensorRef("more/sum"),), attrs={"T": DType("float32")})
    np.testing.assert_array_equal(run(left, {"x": _X})["y"], _X * 4)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"experimental_attributes": {"_noinline": True}}, "is marked as not to be inlined"),
        ({"experimental_implements": "embedded.gelu"}, "stands for an op that converters know (embedded.gelu)"),
    ],
)
def test_functions_that_are_marked_stay(options: dict[str, Any], reason: str) -> None:
    graph = tf1(lambda x: _function(lambda x: x * 2.0, **options)(x) + 1.0, (2, 3))
    result = InlineFunctions().apply(graph)
    assert result.graph is graph
    assert reason in result.skipped[0]


def test_a_function_that_calls_itself_stays() -> None:
    graph = tf1(lambda x: _function(lambda x: x * 2.0)(x) + 1.0, (2, 3))
    proto = to_graph_def(graph)
    function = proto.library.function[0]
    call = function.node_def.add()
    call.CopyFrom(next(node for node in proto.node if node.op == "PartitionedCall"))
    call.name, call.input[:] = "again", [function.signature.input_arg[0].name]
    result = InlineFunctions().apply(from_graph_def(proto, graph.inputs, graph.outputs))
    assert not result.changed
    assert "calls itself" in result.skipped[0]


def test_a_call_in_a_branch_of_a_tf1_conditional_lives_and_dies_with_it() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        half = _function(lambda x: (x * 0.5, tf.constant(7.0)))  # the second result depends on no input
        no, yes = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 0)
        taken, other = half(yes), half(no)
        first = tf.raw_ops.Merge(inputs=[taken[1] + 1.0, other[1] - 1.0])
        return tf.add(first[0], tf.cast(first[1], tf.float32), name="y")

    graph = tf1(build, (2, 3))
    left = InlineFunctions().apply(graph).graph
    assert "PartitionedCall" not in _ops(left)
    for x in (abs(_X), -abs(_X)):
        np.testing.assert_array_equal(run(left, {"x": x})["y0"], run(graph, {"x": x})["y0"])


@pytest.fixture
def dataflow_control() -> Iterator[None]:
    """TF1 conditionals and loops: Switch and Merge."""
    import tensorflow as tf

    tf.compat.v1.disable_control_flow_v2()
    yield
    tf.compat.v1.enable_control_flow_v2()


@pytest.mark.usefixtures("dataflow_control")
def test_a_call_in_a_tf1_loop_runs_each_time() -> None:
    import tensorflow as tf

    step = _function(lambda i, y: (i + 1, y * 2.0 + tf.ones([3])))
    graph = tf1(lambda x: tf.add(tf.while_loop(lambda i, _: i < 3, step, (0, x))[1], 1.0, name="y"), (2, 3))
    assert {"Enter", "PartitionedCall"} <= set(_ops(graph))
    assert "PartitionedCall" not in _ops(_inlined(graph))


@pytest.mark.usefixtures("dataflow_control")
def test_a_tf1_loop_in_a_function_has_another_name_at_each_call() -> None:
    import tensorflow as tf
    from tensorflow.python.framework import function

    @function.Defun(tf.float32)
    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y + 1.0), (0, x))[1]

    graph = tf1(lambda x: tf.ensure_shape(loop(x) + loop(x * 2.0), (2, 3), name="y"), (2, 3))
    assert "Enter" not in _ops(graph)
    frames = [node.attrs["frame_name"] for node in _inlined(graph) if node.op == "Enter"]
    assert len(frames) == 4
    assert len(set(frames)) == 2


def _with_control_flow() -> Graph:
    import tensorflow as tf

    def function(x: Any) -> Any:
        count = tf.constant(0)
        while tf.reduce_sum(x) < 100.0 and count < 5:
            x, count = x * 2.0 + 1.0, count + 1
        x = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x) * 3.0, lambda: -x)
        index = tf.cast(tf.reduce_sum(x) > 10.0, tf.int32)
        return tf.switch_case(index, [lambda: x + 1.0, lambda: x - 1.0])

    return freeze(function, (2, 3), lower=False)


@pytest.mark.parametrize("name", DEFAULT_PASSES)
def test_functions_of_control_flow_survive_each_pass(name: str) -> None:
    graph = _with_control_flow()
    (step,) = rewrite(graph, [name], [{"x": _X}, {"x": -_X}], tolerance=1e-6).steps
    assert not step.refused


@pytest.mark.parametrize(
    "name",
    [
        "inline-functions",
        "merge-duplicate-nodes",
        "merge-reshapes",
        "remove-identity-resizes",
        "fold-scales",
        "remove-dead-branches",
    ],
)
def test_control_flow_survives_the_passes_that_simplify(name: str) -> None:
    graph = _with_control_flow()
    assert {"StatelessWhile", "StatelessIf", "StatelessCase"} & set(_ops(graph))
    result = rewrite(graph, [name], [{"x": _X}, {"x": -_X}], tolerance=1e-6)
    assert not result.steps[0].refused
    flow = {"StatelessWhile", "While", "StatelessIf", "If", "StatelessCase", "Case"}
    assert [op for op in _ops(result.graph) if op in flow] == [op for op in _ops(graph) if op in flow]
    assert function_names(result.graph.library) <= function_names(graph.library)
