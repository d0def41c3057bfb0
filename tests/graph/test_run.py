"""Running a graph under TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfmobile.errors import DataError, ModelError, UnsupportedError, VerificationError
from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Graph, Node, TensorRef, TensorSpec
from tfmobile.graph.run import Runner, run


def _doubled() -> Graph:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (None, 2), name="x")
        tf.add(x, x, name="y")
    spec = TensorSpec("image", TensorRef("x"), "float32", (None, 2))
    return from_graph_def(graph.as_graph_def(), [spec], [TensorSpec("sum", TensorRef("y"), "float32", (None, 2))])


def test_feeds_and_results_go_by_signature_key() -> None:
    result = run(_doubled(), {"image": np.ones((3, 2), "float32")})
    np.testing.assert_array_equal(result["sum"], np.full((3, 2), 2.0))


def test_any_tensor_can_be_fetched() -> None:
    result = run(_doubled(), {"image": np.ones((1, 2), "float32")}, [TensorRef("x"), TensorRef("y")])
    assert sorted(result) == ["x", "y"]


def test_a_tf2_graph_with_a_while_loop_and_functions_runs_and_leaves_eager_mode_alone() -> None:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((2,), tf.float32)])
    def loop(x: Any) -> Any:
        count = tf.constant(0)
        while count < tf.cast(tf.reduce_max(x), tf.int32):
            x, count = x + 1.0, count + 2
        return x

    concrete = loop.get_concrete_function()
    proto = concrete.graph.as_graph_def()
    source, target = concrete.inputs[0], concrete.outputs[0]
    graph = from_graph_def(
        proto,
        [TensorSpec("x", TensorRef.parse(source.name), "float32", (2,))],
        [TensorSpec("y", TensorRef.parse(target.name), "float32", (2,))],
    )
    assert graph.library
    x = np.array([0.0, 3.0], "float32")
    np.testing.assert_array_equal(run(graph, {"x": x})["y"], loop(tf.constant(x)).numpy())
    assert tf.executing_eagerly()


def test_a_missing_op_is_named_with_its_node() -> None:
    node = Node("special", "SentencepieceOp")
    with pytest.raises(UnsupportedError, match=r"SentencepieceOp.*'special'"):
        Runner(Graph({"special": node}, (), ()))


def test_a_missing_input_is_a_data_error() -> None:
    with pytest.raises(DataError, match="missing: image"):
        run(_doubled(), {})


def test_a_wrong_shape_says_both_shapes() -> None:
    with pytest.raises(DataError, match=r"\[3\].*\(None, 2\)"):
        run(_doubled(), {"image": np.ones(3, "float32")})


def test_a_graph_tensorflow_does_not_accept_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="does not accept"):
        Runner(Graph({"x": Node("x", "Add")}, (), ()))


def test_a_failing_run_is_a_verification_error_with_tensorflows_words() -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.int32, (), name="x")
        tf.debugging.check_numerics(1.0 / tf.cast(x, tf.float32), "is infinite", name="y")
    specs = [TensorSpec(name, TensorRef(name), "float32", ()) for name in ("x", "y")]
    with pytest.raises(VerificationError) as found:
        run(from_graph_def(graph.as_graph_def(), specs[:1], specs[1:]), {"x": np.array(0)})
    assert "is infinite" in found.value.why


def test_a_run_can_fetch_other_tensors_and_types_can_be_asked() -> None:
    with Runner(_doubled()) as runner:
        assert runner.type_of(TensorRef("y")) == ((None, 2), "float32")
        found = runner.run({"image": np.ones((1, 2), "float32")}, [TensorRef("x")])
        assert list(found) == ["x"]
