"""Large constants stay out of the graphs that TensorFlow reads, and the answers stay."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmobile.graph.attributes import LARGE, aligned
from tfmobile.graph.edit import constant
from tfmobile.graph.large_constants import lifted
from tfmobile.graph.model import DType, Graph, Node, ShapeAttr, TensorRef, TensorSpec
from tfmobile.graph.run import run

FLOAT = DType("float32")
SIDE = 64
WEIGHTS = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)


def _layer(weights: Node) -> Graph:
    nodes = [
        Node("x", "Placeholder", attrs={"dtype": FLOAT, "shape": ShapeAttr((1, SIDE))}),
        weights,
        Node("y", "MatMul", (TensorRef("x"), TensorRef(weights.name)), attrs={"T": FLOAT}),
    ]
    spec = TensorSpec("x", TensorRef("x"), "float32", (1, SIDE))
    return Graph({node.name: node for node in nodes}, (spec,), (dataclasses.replace(spec, ref=TensorRef("y")),))


def test_a_large_constant_is_fed_and_the_answer_stays() -> None:
    graph = _layer(constant("w", WEIGHTS))
    small, feeds = lifted(graph)
    assert small.nodes["w"].op == "Placeholder"
    np.testing.assert_array_equal(feeds["w"], WEIGHTS)
    x = np.ones((1, SIDE), np.float32)
    np.testing.assert_allclose(run(graph, {"x": x})["x"], x @ WEIGHTS, rtol=1e-4, atol=1e-5)


def test_a_large_constant_can_be_fetched() -> None:
    found = run(_layer(constant("w", WEIGHTS)), {"x": np.ones((1, SIDE), np.float32)}, [TensorRef("w")])
    np.testing.assert_array_equal(found["w"], WEIGHTS)


def test_what_is_small_a_fill_bound_to_a_branch_or_an_input_stays() -> None:
    small = constant("w", WEIGHTS[:2, :2])
    fill = constant("w", np.broadcast_to(np.float32(1), (SIDE, SIDE)))
    bound = dataclasses.replace(constant("w", WEIGHTS), controls=("x",))
    for node in (small, fill, bound):
        graph = _layer(node)
        assert lifted(graph)[0] is graph
    graph = _layer(constant("w", WEIGHTS))
    given = TensorSpec("w", TensorRef("w"), "float32", (SIDE, SIDE))
    assert not lifted(dataclasses.replace(graph, inputs=(*graph.inputs, given)))[1]


def test_aligned_keeps_values_and_copies_only_what_is_large_and_lies_askew() -> None:
    askew = np.zeros(LARGE + 4, np.uint8)[4:].view(np.float32)
    if askew.ctypes.data % 64 == 0:  # never both
        askew = np.zeros(LARGE + 8, np.uint8)[8:].view(np.float32)
    askew[:] = np.arange(askew.size)
    copy = aligned(askew)
    assert copy.ctypes.data % 64 == 0
    np.testing.assert_array_equal(copy, askew)
    assert aligned(copy) is copy
    assert aligned(askew[:10]).base is askew.base
