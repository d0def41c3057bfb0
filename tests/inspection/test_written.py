"""What summarize_graph told of a graph."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.inspection.graphs import FLOAT, Nodes
from tfmobile.graph.model import Graph, ShapeAttr
from tfmobile.inspection.written import written_facts


def graph_of(nodes: Nodes) -> Graph:
    found = nodes.source().graph
    assert found is not None
    return found


def test_possible_ends_are_placeholders_and_what_nothing_reads() -> None:
    nodes = Nodes((None, 8, 8, 3))
    nodes.unary("y", "Relu", "x")
    nodes.unary("other", "Tanh", "x")
    nodes.constant("unread", 2)
    nodes.add("init", "NoOp")
    found = written_facts(graph_of(nodes))
    assert [(port.key, port.dtype, port.shape) for port in found.inputs] == [("x", "float32", (None, 8, 8, 3))]
    assert [(end.node, end.op) for end in found.outputs] == [("y", "Relu"), ("other", "Tanh")]


def test_a_node_that_only_a_control_edge_reads_is_no_output() -> None:
    nodes = Nodes()
    nodes.unary("check", "Relu", "x")
    nodes.unary("y", "Tanh", "x")
    nodes.nodes["y"] = dataclasses.replace(nodes.nodes["y"], controls=("check",))
    found = written_facts(graph_of(nodes))
    assert [end.node for end in found.outputs] == ["y"]
    assert found.control_edges == 1


def test_constants_devices_and_variables_are_counted() -> None:
    nodes = Nodes()
    nodes.constant("w", 3, 4)
    nodes.add("axis", "Const", dtype=FLOAT, value=np.array(1.0, np.float32))
    nodes.add("v", "VariableV2", dtype=FLOAT, shape=ShapeAttr((7,)))
    nodes.unary("y", "Relu", "x")
    nodes.nodes["y"] = dataclasses.replace(nodes.nodes["y"], device="/device:GPU:0")
    found = written_facts(graph_of(nodes))
    assert (found.nodes, found.constants, found.constant_values, found.constant_bytes) == (5, 2, 13, 52)
    assert [(port.key, port.shape) for port in found.variables] == [("v", (7,))]
    assert dict(found.devices) == {"/device:GPU:0": 1}


def test_nodes_in_functions_are_counted_with_the_operators() -> None:
    import tensorflow as tf

    from tfmobile.graph.graphdef import from_graph_def

    @tf.function
    def inner(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(tf.nn.relu(x))

    with tf.Graph().as_default() as graph:
        inner(tf.compat.v1.placeholder(tf.float32, [2], name="x"))
    found = written_facts(from_graph_def(graph.as_graph_def()))
    assert found.functions == 1
    assert found.function_nodes >= 2
    assert {one.op: one.count for one in found.ops}["Relu"] == 2
