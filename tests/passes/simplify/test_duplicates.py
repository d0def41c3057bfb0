"""Duplicates in graphs that are large, or that TensorFlow wrote."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.graph.edit import constant
from tfmobile.graph.graphdef import serialize
from tfmobile.graph.model import DType, Graph, Node, TensorRef, TensorSpec
from tfmobile.passes import rewrite
from tfmobile.passes.simplify.contents import content
from tfmobile.passes.simplify.merge_duplicate_nodes import MergeDuplicateNodes


def test_the_same_weights_twice_are_kept_once() -> None:
    import tensorflow as tf

    weights = np.random.default_rng(7).normal(size=(1, 1, 3, 64)).astype("float32")

    def build(x: Any) -> Any:
        branches = [tf.nn.relu(tf.nn.conv2d(x, tf.constant(weights), 1, "SAME")) for _ in range(3)]
        return tf.concat(branches, axis=3, name="y")

    graph = tf1(build, (1, 4, 4, 3))
    result = rewrite(graph, "merge_duplicate_nodes", tolerance=1e-6)
    assert not result.steps[0].refused
    assert [node.op for node in result.graph].count("Conv2D") == 1
    assert len(serialize(result.graph)) < len(serialize(graph)) / 2


def test_a_fill_is_never_written_out() -> None:
    huge = np.broadcast_to(np.float32(3.0), (1 << 20, 1 << 20))
    assert content(huge) == content(np.full(2, 3.0, "float32"))
    assert content(huge) != content(np.broadcast_to(np.float32(-3.0), (1 << 20, 1 << 20)))
    nodes = [
        constant("a", huge),
        constant("b", huge),
        Node("y", "Rank", (TensorRef("a"),), attrs={"T": DType("float32")}),
    ]
    graph = Graph({node.name: node for node in nodes}, (), (TensorSpec("y", TensorRef("y"), "int32", ()),))
    assert list(MergeDuplicateNodes().apply(graph).graph.nodes) == ["a", "y"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array([b"a", b"bc"], object), np.array([b"ab", b"c"], object)),
        (np.array([1, 2], "int32"), np.array([1, 3], "int32")),
        (np.array([0.0, 1.0], "float32"), np.array([-0.0, 1.0], "float32")),
    ],
)
def test_contents_differ_where_one_byte_does(one: Any, other: Any) -> None:
    assert content(one) == content(one.copy())
    assert content(one) != content(other)


def test_chains_of_duplicates_take_one_sweep_and_linear_time() -> None:
    def seconds(length: int) -> float:
        nodes = {"x": Node("x", "Placeholder", attrs={"dtype": DType("float32")})}
        for chain in ("a", "b"):
            last = "x"
            for place in range(length):
                name = f"{chain}{place}"
                nodes[f"{name}/c"] = constant(f"{name}/c", np.array(place % 7, "float32"))
                nodes[name] = Node(
                    name, "AddV2", (TensorRef(last), TensorRef(f"{name}/c")), attrs={"T": DType("float32")}
                )
                last = name
        ends = (TensorRef(f"a{length - 1}"), TensorRef(f"b{length - 1}"))
        nodes["y"] = Node("y", "Mul", ends, attrs={"T": DType("float32")})
        graph = Graph(nodes, (), (TensorSpec("y", TensorRef("y"), "float32", None),))
        start = time.process_time()
        result = MergeDuplicateNodes().apply(graph)
        taken = time.process_time() - start
        assert len(result.graph) == 1 + 7 + length + 1
        return taken

    seconds(100)
    assert seconds(8000) < 12 * min(seconds(1000) for _ in range(3)) + 0.5, "quadratic would be 64 times as long"


def test_a_real_model_answers_the_same(shared: Path) -> None:
    from tfmobile.loading import load

    source = load(shared / "models" / "mobilenet_v1_0.25_224" / "frozen.pb")
    (step,) = rewrite(source.graph, "merge_duplicate_nodes", tolerance=1e-6).steps
    assert not step.refused
    assert step.nodes_after <= step.nodes_before
