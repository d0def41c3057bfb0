"""Conditionals that constants decide, as TensorFlow writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.passes import rewrite

_X = np.random.default_rng(6).normal(size=(2, 3)).astype("float32")


def _ops(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph)


def _pruned(build: Callable[[Any], Any]) -> Graph:
    """The graph after the pass, which answers as before and has no control flow left."""
    graph = tf1(build, (2, 3))
    result = rewrite(graph, ["remove-dead-branches"], [{"x": _X}], tolerance=1e-6)
    assert not result.steps[0].refused
    np.testing.assert_array_equal(run(result.graph, {"x": _X})["y0"], run(graph, {"x": _X})["y0"])
    left = set(_ops(result.graph))
    assert not left & {"Switch", "Merge", "If", "StatelessIf", "Case", "StatelessCase", "While", "StatelessWhile"}
    return result.graph


def _cond(value: bool) -> Callable[[Any], Any]:
    import tensorflow as tf

    def build(x: Any) -> Any:
        chosen = tf.raw_ops.Greater(x=tf.constant(2.0), y=tf.constant(1.0 if value else 3.0))
        return tf.identity(tf.cond(chosen, lambda: tf.nn.relu(x) * 2.0, lambda: tf.exp(x)), name="y")

    return build


@pytest.mark.usefixtures("dataflow_control")
@pytest.mark.parametrize("value", [True, False])
def test_a_tf1_conditional(value: bool) -> None:
    ops = _ops(_pruned(_cond(value)))
    assert ("Relu" in ops) == value
    assert ("Exp" in ops) != value


@pytest.mark.parametrize("value", [True, False])
def test_a_functional_conditional(value: bool) -> None:
    graph = _pruned(_cond(value))
    assert ("Relu" in _ops(graph)) == value
    assert ("Exp" in _ops(graph)) != value


@pytest.mark.parametrize(("index", "op"), [(0, "Relu"), (1, "Exp"), (2, "Neg"), (7, "Neg"), (-1, "Neg")])
def test_a_case_takes_the_last_branch_when_out_of_range(index: int, op: str) -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        branches = [lambda: tf.nn.relu(x), lambda: tf.exp(x), lambda: -x]
        return tf.identity(tf.switch_case(tf.constant(index), branches), name="y")

    assert op in _ops(_pruned(build))


def test_conditionals_inside_the_branch_taken() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        def inner() -> Any:
            return tf.cond(tf.constant(False), lambda: tf.exp(x), lambda: tf.nn.relu(x))

        return tf.identity(tf.cond(tf.constant(True), inner, lambda: -x), name="y")

    assert _ops(_pruned(build)) == ["Identity", "Identity", "Identity", "Placeholder", "Relu"]


def test_a_loop_that_never_starts() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        start = tf.constant(5)
        _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.exp(y)), (start, x))
        return tf.nn.relu(y, name="y")

    graph = _pruned(build)
    assert "Relu" in _ops(graph)


def test_a_loop_that_starts_is_left() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.exp(y)), (tf.constant(0), x))
        return tf.nn.relu(y, name="y")

    (step,) = rewrite(tf1(build, (2, 3)), ["remove-dead-branches"], [{"x": _X}]).steps
    assert not step.changed


@pytest.mark.usefixtures("dataflow_control")
def test_a_conditional_inside_a_loop_loses_its_dead_branch() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            return i + 1, tf.cond(tf.constant(True), lambda: y + 1.0, lambda: tf.exp(y))

        return tf.nn.relu(tf.while_loop(lambda i, _: i < 3, body, (0, x))[1], name="y")

    graph = tf1(build, (2, 3))
    result = rewrite(graph, ["remove-dead-branches"], [{"x": _X}], tolerance=1e-6)
    assert not result.steps[0].refused
    assert result.steps[0].changed
    assert "Exp" not in _ops(result.graph)
    assert "Enter" in _ops(result.graph)


def test_data_decides_on_the_rest() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        return tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1.0, lambda: x - 1.0), name="y")

    (step,) = rewrite(tf1(build, (2, 3)), ["remove-dead-branches"], [{"x": _X}]).steps
    assert not step.changed
    assert "is not constant" in step.skipped[0]
