"""quantize-weights: a quarter of the size, each weight near what it was, and 0 stays 0."""

from __future__ import annotations

import numpy as np
import pytest

from tfmobile.errors import TfmobileError, UnsupportedError
from tfmobile.graph.edit import constant
from tfmobile.graph.graphdef import from_graph_def, serialize
from tfmobile.graph.model import Graph, TensorRef, TensorSpec
from tfmobile.graph.run import run
from tfmobile.passes import make_pass


def _graph(values: np.ndarray) -> Graph:
    return Graph({"w": constant("w", values)}, (), (TensorSpec("w", TensorRef("w"), "float32", values.shape),))


def test_weights_move_by_less_than_a_step() -> None:
    generator = np.random.default_rng(0)
    values = [
        (generator.normal(center, spread, size) * generator.choice([0, 1], size, p=[0.1, 0.9])).astype(np.float32)
        for size in (2, 17, 40)
        for center in (-3.0, 0.0, 0.4, 1e5)
        for spread in (1e-20, 0.3, 1.0, 1e4)
    ]
    nodes = {f"w{index}": constant(f"w{index}", value) for index, value in enumerate(values)}
    outputs = tuple(TensorSpec(name, TensorRef(name), "float32", None) for name in nodes)
    result = make_pass("quantize_weights(minimum_size=1)").apply(Graph(nodes, (), outputs)).graph
    for value, got in zip(values, run(result, {}).values(), strict=True):
        step = (max(float(value.max()), 0.0) - min(float(value.min()), 0.0)) / 255
        assert (np.abs(got.astype(np.float64) - value) <= step * 1.001).all()
        assert (got[value == 0] == 0).all()


def test_the_file_takes_a_quarter_and_reads_back() -> None:
    values = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
    graph = _graph(values)
    result = make_pass("quantize_weights").apply(graph).graph
    content = serialize(result)
    assert len(content) < 0.27 * len(serialize(graph))
    again = from_graph_def(content, result.inputs, result.outputs)
    assert run(again, {})["w"].tobytes() == run(result, {})["w"].tobytes()


@pytest.mark.parametrize(("size", "stays"), [(1023, True), (1024, False)])
def test_the_smallest_size_that_is_stored(size: int, stays: bool) -> None:
    graph = _graph(np.arange(size, dtype=np.float32))
    assert (make_pass("quantize_weights").apply(graph).graph is graph) == stays


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(TfmobileError, match="minimum_size"):
        make_pass("quantize_weights(minimum_size=-1)")


def test_tflite_does_not_take_large_weights_of_that_kind() -> None:
    """As the docstring says."""
    from tests.passes.freezing import freeze
    from tfmobile.conversion import convert

    weights = np.random.default_rng(0).normal(size=(3, 3, 8, 64)).astype(np.float32)

    def model(x: object) -> object:
        import tensorflow as tf

        return tf.nn.conv2d(x, weights, 1, "SAME")

    result = make_pass("quantize_weights").apply(freeze(model, (1, 8, 8, 8)))
    assert result.changed
    with pytest.raises(UnsupportedError, match="Dequantize"):
        convert(result.graph)
