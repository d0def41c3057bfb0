"""sparsify-gather: exactly the same rows from a smaller table, in TensorFlow and in TFLite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import freeze
from tfmobile.artifacts import PassResult
from tfmobile.conversion import convert
from tfmobile.graph.graphdef import serialize
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.passes import make_pass, rewrite


def _table(rows: int, used: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    table = np.zeros((rows, width), np.float32)
    table[generator.choice(rows, used, replace=False)] = generator.normal(size=(used, width))
    return table


def _lookup(table: np.ndarray) -> Graph:
    import tensorflow as tf

    def model(x: Any) -> Any:
        return tf.gather(tf.constant(table), tf.cast(tf.abs(x) * (len(table) - 1), tf.int32))

    return freeze(model, (1, 50))


def _made(graph: Graph) -> PassResult:
    result = make_pass("sparsify_gather").apply(graph)
    feeds = {"x": np.random.default_rng(1).uniform(-1, 1, (1, 50)).astype(np.float32)}
    assert run(result.graph, feeds)["y0"].tobytes() == run(graph, feeds)["y0"].tobytes()
    (step,) = rewrite(graph, "sparsify_gather").steps
    assert not step.refused
    return result


@pytest.mark.parametrize(("rows", "used", "width"), [(2000, 100, 16), (60_000, 40_000, 4), (50_000, 10, 1)])
def test_the_table_is_smaller_and_its_rows_the_same(rows: int, used: int, width: int) -> None:
    graph = _lookup(_table(rows, used, width))
    result = _made(graph)
    assert result.changed
    assert len(serialize(result.graph)) < len(serialize(graph))


def test_tflite_answers_the_same() -> None:
    from tfmobile.runtime.interpreter import open_interpreter

    graph = _lookup(_table(500, 40, 8))
    feeds = {"x": np.linspace(-1, 1, 50, dtype=np.float32)[None]}
    model = open_interpreter(convert(_made(graph).graph))
    assert np.asarray(model.run(feeds)["y0"]).tobytes() == run(graph, feeds)["y0"].tobytes()


def test_a_dense_table_stays() -> None:
    graph = _lookup(_table(100, 100, 4))
    assert make_pass("sparsify_gather").apply(graph) == PassResult(graph)
