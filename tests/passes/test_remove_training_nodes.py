"""Training machinery of graphs as TensorFlow itself writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import freeze, tf1
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.passes import rewrite

_PASSES = ["strip-unused", "remove-training-nodes", "fold-constants"]


def _ops(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph)


def _stripped(graph: Graph) -> Graph:
    result = rewrite(graph, _PASSES)
    assert not any(step.refused for step in result.steps), result.steps
    return result.graph


def _dropped(graph: Graph, rows: int = 4) -> None:
    """Nothing is left but ReLU of the input, which is what the graph computes without dropout."""
    left = _stripped(graph)
    assert _ops(left) == ["Placeholder", "Relu"], _ops(left)
    x = np.random.default_rng(0).normal(size=(rows, 6)).astype("float32")
    np.testing.assert_array_equal(run(left, {"x": x})["y0"], np.maximum(x, 0))


def test_dropout_with_a_keep_prob_placeholder_and_a_default() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        keep = tf.compat.v1.placeholder_with_default(1.0, (), name="keep_prob")
        return tf.nn.relu(tf.compat.v1.nn.dropout(x, keep_prob=keep), name="y")

    _dropped(tf1(build, (4, 6)))


@pytest.mark.parametrize("noise_shape", [None, (99, 1)])
def test_dropout_with_a_constant_rate_that_is_active(noise_shape: tuple[int, int] | None) -> None:
    import tensorflow as tf

    # 99 rows: two masks of a few values may be the same by chance, and then the answers repeat.
    graph = tf1(lambda x: tf.nn.relu(tf.nn.dropout(x, 0.4, noise_shape), name="y"), (99, 6))
    result = rewrite(graph, _PASSES)
    step = result.steps[1]
    assert "it was active" in step.changed[0]
    assert step.max_rel is None
    assert "answers differently each time" in step.reason
    _dropped(graph, 99)


def test_dropout_by_stateless_random_numbers() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        dropped = tf.nn.experimental.stateless_dropout(x, 0.3, seed=[1, 2], rng_alg="philox")
        return tf.nn.relu(dropped, name="y")

    result = rewrite(tf1(build, (4, 6)), _PASSES)
    assert result.steps[1].refused, "it is the same at every run, so it is part of the model's answer"
    assert "moves by" in result.steps[1].reason


def test_alpha_dropout() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        keep, alpha = tf.constant(0.9), -1.7580993408473766
        mask = tf.cast(tf.random.uniform((4, 6)) >= 1 - keep, tf.float32)
        kept = x * mask + alpha * (1 - mask)
        a = (keep + keep * (1 - keep) * alpha**2) ** -0.5
        return tf.nn.relu(a * kept - a * alpha * (1 - keep), name="y")

    left = _stripped(tf1(build, (4, 6)))
    assert _ops(left) == ["Placeholder", "Relu"], _ops(left)


@pytest.mark.usefixtures("dataflow_control")
@pytest.mark.parametrize("training", ["default", "placeholder"])
def test_a_learning_phase_switch_with_dropout_in_one_branch(training: str) -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        if training == "default":
            phase = tf.compat.v1.placeholder_with_default(False, (), name="keras_learning_phase")
        else:
            phase = tf.logical_not(tf.compat.v1.placeholder_with_default(True, (), name="testing"))
        y = tf.cond(phase, lambda: tf.nn.dropout(x, 0.5), lambda: tf.identity(x))
        return tf.nn.relu(y, name="y")

    graph = tf1(build, (4, 6))
    assert "Switch" in _ops(graph)
    _dropped(graph)


@pytest.mark.usefixtures("dataflow_control")
def test_an_unfed_phase_placeholder_is_false() -> None:
    import tensorflow as tf

    from tfmobile.passes.remove_training_nodes import RemoveTrainingNodes

    def build(x: Any) -> Any:
        phase = tf.compat.v1.placeholder(tf.bool, (), name="is_training")
        y = tf.cond(phase, lambda: tf.nn.dropout(x, 0.5), lambda: tf.identity(x))
        return tf.nn.relu(tf.where(phase, y * 2.0, y), name="y")

    left = RemoveTrainingNodes().apply(tf1(build, (4, 6))).graph
    assert "Switch" not in _ops(left)
    assert left.nodes["is_training"].op == "Const"
    x = np.ones((4, 6), "float32")
    np.testing.assert_array_equal(run(left, {"x": x})["y0"], x)


@pytest.mark.usefixtures("dataflow_control")
def test_a_dataflow_loop_is_left_and_answers_the_same() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        y = tf.identity(x) * 2.0
        _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.identity(tf.identity(y) + 1.0)), (0, y))
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.identity(y), lambda: y - 1.0)
        return tf.nn.relu(y, name="y")

    graph = tf1(build, (4, 6))
    result = rewrite(graph)
    assert all(not step.refused and step.max_abs == 0 for step in result.steps)
    assert sum(node.op == "Merge" for node in result.graph) == sum(node.op == "Merge" for node in graph)


def test_a_functional_conditional_with_a_known_predicate_becomes_its_branch() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        phase = tf.compat.v1.placeholder_with_default(False, (), name="keras_learning_phase")
        y = tf.cond(phase, lambda: tf.nn.dropout(x, 0.5), lambda: tf.identity(x * 3.0))
        return tf.nn.relu(y, name="y")

    graph = tf1(build, (4, 6))
    assert {"If", "StatelessIf"} & set(_ops(graph))
    left = _stripped(graph)
    assert _ops(left) == ["Const", "Mul", "Placeholder", "Relu"]
    assert not rewrite(left, ["strip-unused"]).graph.library


def test_functional_control_flow_with_unknown_conditions_is_left() -> None:
    import tensorflow as tf

    def function(x: Any) -> Any:
        count = tf.constant(0)
        while tf.reduce_sum(x) < 100.0 and count < 5:
            x, count = x * 2.0 + 1.0, count + 1
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)

    graph = freeze(function, (4, 6), lower=False)
    result = rewrite(graph)
    assert {"While", "StatelessWhile"} & set(_ops(result.graph))
    assert result.graph.library
    assert all(not step.refused for step in result.steps)


def test_assertions_and_checks_go() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        check = tf.compat.v1.assert_less(x, 100.0)
        tf.compat.v1.summary.histogram("x", x)
        with tf.control_dependencies([tf.group(check)]):
            y = tf.stop_gradient(tf.debugging.check_numerics(tf.identity(x), "bad"))
        return tf.nn.relu(y, name="y")

    _dropped(tf1(build, (4, 6)))


def test_outputs_and_inputs_keep_their_names() -> None:
    import tensorflow as tf

    graph = tf1(lambda x: tf.identity(tf.identity(x), name="same"), (4, 6))
    left = _stripped(graph)
    assert left.outputs == graph.outputs
    assert sorted(left.nodes) == ["same", "x"]
