"""Editing names, order, devices and edges of real graphs leaves their answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import freeze, tf1
from tfmobile.graph.edit import constant
from tfmobile.graph.functions import function_names
from tfmobile.graph.graphdef import from_graph_def, serialize
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import DType, Graph, Node, ShapeAttr, TensorRef, TensorSpec
from tfmobile.graph.run import run
from tfmobile.passes import make_pass, rewrite

EDITS = (
    'add_default_attributes set_device(device="/device:GPU:0") remove_control_dependencies '
    'obfuscate_names sort_by_execution_order remove_device remove_nodes(op="Identity|CheckNumerics") backport_concatv2'
)


@pytest.fixture
def control_flow_v1() -> Any:
    import tensorflow as tf

    tf.compat.v1.disable_control_flow_v2()
    yield
    tf.compat.v1.enable_control_flow_v2()


def _table(x: Any) -> Any:
    """A loop that writes a TensorArray, and another array that is read."""
    import tensorflow as tf

    table = tf.TensorArray(tf.float32, size=3, element_shape=[2])
    _, table = tf.compat.v1.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t.write(i, x[i] * 2.0)), [0, table])
    doubled = tf.TensorArray(tf.float32, size=3).unstack(x)
    return tf.add(table.stack(), tf.cond(x[0, 0] > 0, lambda: doubled.read(1), lambda: x[2] * 3.0), name="y")


def _samples() -> list[dict[str, Any]]:
    generator = np.random.default_rng(4)
    return [{"x": sign * generator.uniform(0.1, 1.0, (3, 2)).astype("float32")} for sign in (1, -1)]


@pytest.mark.usefixtures("control_flow_v1")
def test_branches_and_loops_survive_every_edit() -> None:
    graph = tf1(_table, (3, 2))
    flow = sum(node.op in CONTROL_FLOW for node in graph)
    assert flow
    result = rewrite(graph, f"{EDITS} insert_logging(op=AddV2, first_n=0)", _samples())
    for step in result.steps:
        assert not step.refused, (step.name, step.reason)
        assert step.max_rel == 0.0, step.name
    assert sum(node.op in CONTROL_FLOW for node in result.graph) == flow


@pytest.mark.usefixtures("control_flow_v1")
def test_tensor_arrays_of_version_2_answer_as_those_of_version_3() -> None:
    graph = tf1(_table, (3, 2))
    assert graph.producer > 25
    result = rewrite(graph, "backport_tensor_array_v3", _samples())
    (step,) = result.steps
    assert not step.refused, step.reason
    assert step.max_rel == 0.0
    assert result.graph.producer == 25
    assert not any(node.op.startswith("TensorArray") and node.op.endswith("V3") for node in result.graph)
    assert (
        from_graph_def(serialize(result.graph), graph.inputs, graph.outputs).nodes.keys() == result.graph.nodes.keys()
    )


def test_functions_are_called_as_before() -> None:
    import tensorflow as tf

    graph = freeze(
        lambda x: tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2.0 + 1.0), [0, x])[1], (3, 2), lower=False
    )
    assert function_names(graph.library)
    result = rewrite(graph, EDITS, _samples())
    for step in result.steps:
        assert not step.refused, (step.name, step.reason)
        assert step.max_rel == 0.0, step.name
    assert result.graph.library == graph.library
    told = next(step for step in result.steps if step.name == "obfuscate-names").skipped
    assert told == ("Left the names inside the functions of the library.",)


def test_an_input_that_is_renamed_is_fed_under_its_key_and_the_passes_after_it_are_compared() -> None:
    graph = tf1(lambda x: -x, (3, 2))
    passes = "rename_node(old_node_name=x, new_node_name=image) rename_node(old_node_name=Neg, new_node_name=out)"
    result = rewrite(graph, f"{passes} sort_by_execution_order rename_op(old_op_name=Neg, new_op_name=Abs)", _samples())
    assert [step.max_rel for step in result.steps[:3]] == [0.0, 0.0, 0.0]
    assert result.steps[3].max_rel
    assert [str(spec.ref) for spec in (*result.graph.inputs, *result.graph.outputs)] == ["image", "out"]
    sample = _samples()[0]
    np.testing.assert_array_equal(run(result.graph, sample)["y0"], sample["x"])


def test_a_graph_for_a_gpu_is_verified_without_one() -> None:
    (step,) = rewrite(tf1(lambda x: -x, (3, 2)), 'set_device(device="/device:GPU:0")', _samples()).steps
    assert not step.refused
    assert step.max_rel == 0.0


def test_what_is_logged_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    graph = tf1(lambda x: -(x * 2.0), (1, 2))
    call = 'insert_logging(op=Mul, op=Neg, show_op=true, show_name=true, message="seen ")'
    result = make_pass(call).apply(graph)
    capfd.readouterr()
    assert run(result.graph, {"x": np.array([[1.0, 0.5]], "float32")})["y0"].tolist() == [[-2.0, -1.0]]
    printed = capfd.readouterr().err
    assert ";Mul;;mul__print__;seen [[2 1]]" in printed
    assert ";Neg;;Neg__print__;seen [[-2 -1]]" in printed
    clean = rewrite(result.graph, "remove_training_nodes").graph
    assert [node.name for node in clean if node.op == "Print"] == ["Neg"]


def _long(count: int) -> Graph:
    """``count`` nodes: a chain of Neg, Identity and ConcatV2, stored from its end to its start."""
    nodes = [Node("x", "Placeholder", attrs={"dtype": DType("float32"), "shape": ShapeAttr((1, 2))})]
    nodes.append(constant("axis", np.array(0, np.int32)))
    kind = {"T": DType("float32")}
    for index in range(count - 2):
        last = TensorRef(nodes[-1].name if index else "x")
        name = f"chain/of/nodes/{index}"
        if index % 3 == 0:
            nodes.append(Node(name, "Identity", (last,), ("axis",), kind, "/cpu:0"))
        elif index % 3 == 1:
            nodes.append(Node(name, "Neg", (last,), (), kind))
        else:
            attrs = {**kind, "N": 1, "Tidx": DType("int32")}
            nodes.append(Node(name, "ConcatV2", (last, TensorRef("axis")), (), attrs))
    end = nodes[-1].name
    return Graph(
        {node.name: node for node in reversed(nodes)},
        (TensorSpec("x", TensorRef("x"), "float32", (1, 2)),),
        (TensorSpec("y", TensorRef(end), "float32", (1, 2)),),
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "add_default_attributes",
        "remove_attribute(attribute_name=Tidx)",
        "rename_attribute(old_attribute_name=Tidx, new_attribute_name=kind)",
        "rename_op(old_op_name=Neg, new_op_name=Abs)",
        "rename_node(old_node_name=axis, new_node_name=axes)",
        "obfuscate_names",
        'set_device(device="/cpu:0")',
        "remove_device",
        "remove_control_dependencies",
        "remove_nodes(op=Identity)",
        "sort_by_execution_order",
        "insert_logging(op=Identity)",
        "backport_concatv2",
    ],
)
def test_fifty_thousand_nodes_take_seconds(call: str) -> None:
    one = make_pass(call)
    graph = _long(50_000)
    seconds = _seconds(lambda: one.apply(graph))
    print(f"{call}: {seconds:.2f} s")
    assert seconds < 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_224/frozen.pb", "kws_ds_cnn/DS_CNN_S.pb"])
def test_real_frozen_graphs_keep_their_answer_and_get_smaller(shared: Path, name: str) -> None:
    content = (shared / "models" / name).read_bytes()
    graph = from_graph_def(content, *_ends(name))
    result = rewrite(graph, f"strip_unused {EDITS}")
    for step in result.steps:
        assert not step.refused, (step.name, step.reason)
        assert step.max_rel == 0.0, step.name
    done = {step.name for step in result.steps if step.changed}
    assert done >= {"set-device", "remove-device", "obfuscate-names", "remove-nodes"}
    short = make_pass("obfuscate_names").apply(graph).graph
    assert len(serialize(short)) < len(serialize(graph))


def _ends(name: str) -> tuple[list[TensorSpec], list[TensorSpec]]:
    if name.startswith("mobilenet"):
        start = TensorSpec("input", TensorRef("input_2"), "float32", (1, 224, 224, 3))
        return [start], [TensorSpec("scores", TensorRef("predictions/Softmax"), "float32", (1, 1000))]
    start = TensorSpec("mfcc", TensorRef("Mfcc"), "float32", (1, 49, 10))
    return [start], [TensorSpec("scores", TensorRef("labels_softmax"), "float32", (1, 12))]
