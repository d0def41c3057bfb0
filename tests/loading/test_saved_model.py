"""SavedModels of TF1 and TF2: signatures, tags, variables, functions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loading.tiny_models import image_model, make_module
from tfmobile.errors import ModelError, UnsupportedError
from tfmobile.loading import load
from tfmobile.loading.quiet import quiet

X = np.array([[1.0, -2.0]], np.float32)


def test_default_signature_is_frozen_and_agrees(tf: Any, saved_model: Path, answers: Callable[..., Any]) -> None:
    source = load(saved_model)
    assert source.format == "saved-model"
    assert source.summary.startswith(f"TF2 SavedModel, written by TensorFlow {tf.__version__}")
    assert source.signature == "serving_default"
    assert set(source.signatures) == {"serving_default", "scale"}
    assert source.graph is not None
    assert not {"VarHandleOp", "ReadVariableOp", "StatefulPartitionedCall", "PartitionedCall"} & {
        node.op for node in source.graph
    }
    expected = tf.saved_model.load(str(saved_model)).signatures["serving_default"](tf.constant(X))["y"]
    np.testing.assert_allclose(answers(source, X)[0], expected, atol=1e-6)


def test_another_signature_by_name(saved_model: Path, answers: Callable[..., Any]) -> None:
    source = load(saved_model, signature="scale")
    assert source.graph is not None
    assert [spec.key for spec in source.graph.outputs] == ["doubled"]
    np.testing.assert_array_equal(answers(source, [3.0])[0], [3.0])


def test_unknown_signature_lists_those_there_are(saved_model: Path) -> None:
    with pytest.raises(ModelError, match="no signature 'predict'") as caught:
        load(saved_model, signature="predict")
    assert set(caught.value.fixes) == {"--signature serving_default", "--signature scale"}


def test_several_signatures_without_default_are_listed(tf: Any, tmp_path: Path, saved_model: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    signatures = proto.meta_graphs[0].signature_def
    signatures["other"].CopyFrom(signatures["serving_default"])
    del signatures["serving_default"]
    (saved_model / "saved_model.pb").write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="serving_default") as caught:
        load(saved_model)
    assert "--signature scale" in caught.value.fixes


def test_unknown_tag_lists_those_there_are(saved_model_v1: Path) -> None:
    with pytest.raises(ModelError, match="tags gpu") as caught:
        load(saved_model_v1, tags=["gpu"])
    assert set(caught.value.fixes) == {"--tags train", "--tags serve"}


def test_tf1_model_is_frozen_by_tags(saved_model_v1: Path, answers: Callable[..., Any]) -> None:
    serve, train = load(saved_model_v1), load(saved_model_v1, tags=("train",))
    assert serve.summary.startswith("TF1 SavedModel")
    np.testing.assert_array_equal(answers(serve, [[1.0, 1.0]])[0], [[3.0, 4.0]])
    np.testing.assert_array_equal(answers(train, [[1.0, 1.0]])[0], [[2.0, 3.0]])


def test_only_signature_is_taken_with_a_note(tf: Any, tmp_path: Path) -> None:
    module = make_module(tf)
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"go": module.dense.get_concrete_function()})
    source = load(tmp_path / "m")
    assert source.signature == "go"
    assert any("its only one, 'go'" in note for note in source.notes)


def test_cutting_inside_a_tf2_model(tf: Any, saved_model: Path, answers: Callable[..., Any]) -> None:
    whole = load(saved_model)
    assert whole.graph is not None
    product = next(node.name for node in whole.graph if node.op == "MatMul")
    source = load(saved_model, input=[product])
    np.testing.assert_array_equal(answers(source, [[1.0, 1.0]])[0], [[1.5, 0.5]])


def test_folder_and_its_pb_are_the_same_model(saved_model: Path) -> None:
    assert load(saved_model).sha256 == load(saved_model / "saved_model.pb").sha256


def test_hash_does_not_depend_on_where_the_folder_lies(saved_model: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(saved_model, tmp_path / "elsewhere" / "copy")
    assert load(moved).sha256 == load(saved_model).sha256


def test_model_with_nested_functions_and_branches(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    class Branching(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([2.0, 3.0])

        @tf.function  # type: ignore[untyped-decorator]
        def inner(self, x: Any) -> Any:
            return x * self.w

        @tf.function(input_signature=[tf.TensorSpec([1, 2], tf.float32)])  # type: ignore[untyped-decorator]
        def outer(self, x: Any) -> Any:
            return tf.cond(tf.reduce_sum(x) > 0, lambda: self.inner(x), lambda: -self.inner(x))

    module = Branching()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.outer)
    source = load(tmp_path / "m")
    np.testing.assert_array_equal(answers(source, [[1.0, 1.0]])[0], [[2.0, 3.0]])
    np.testing.assert_array_equal(answers(source, [[-1.0, -1.0]])[0], [[2.0, 3.0]])


def test_embedding_is_gathered_from_a_constant(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    class Embedding(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.table = tf.Variable(tf.reshape(tf.range(8.0), [4, 2]))

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.int32)])  # type: ignore[untyped-decorator]
        def look(self, ids: Any) -> Any:
            return tf.nn.embedding_lookup(self.table, ids)

    module = Embedding()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.look)
    source = load(tmp_path / "m")
    assert source.graph is not None
    assert source.graph.inputs[0].dtype == "int32"
    np.testing.assert_array_equal(answers(source, [[3, 0, 1]])[0], [[[6.0, 7.0], [0.0, 1.0], [2.0, 3.0]]])


def test_loop_that_reads_variables_is_frozen(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    class Loop(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([1.0, 2.0])
            self.table = tf.Variable([[1.0, 2.0], [3.0, 4.0]])

        @tf.function  # type: ignore[untyped-decorator]
        def inner(self, x: Any) -> Any:
            return x * self.w

        @tf.function(input_signature=[tf.TensorSpec([1, 2], tf.float32)])  # type: ignore[untyped-decorator]
        def outer(self, x: Any) -> Any:
            def body(i: Any, v: Any) -> Any:
                return i + 1, self.inner(v) + tf.gather(self.table, i % 2)

            return tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]

    module = Loop()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.outer)
    source = load(tmp_path / "m")
    assert source.graph is not None
    assert "While" in {node.op for node in source.graph}
    x = tf.constant([[1.0, -1.0]])
    np.testing.assert_array_equal(answers(source, x.numpy())[0], module.outer(x))


def test_recurrent_layers_of_keras_2_are_frozen(k2: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    k2.utils.set_random_seed(0)
    layers = k2.layers
    model = k2.Sequential(
        [k2.Input((5, 2)), layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.GRU(2), layers.Dense(1)]
    )
    with quiet():
        model.save(str(tmp_path / "m"))
    x = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(answers(load(tmp_path / "m"), x)[0], model(x), atol=1e-6)


def test_keras3_export_is_frozen(k3: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    model = image_model(k3)
    with quiet():
        model.export(str(tmp_path / "m"), verbose=False)
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(answers(load(tmp_path / "m"), x)[0], model(x), atol=1e-5)


def test_hash_table_is_unsupported(tf: Any, tmp_path: Path) -> None:
    class Words(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            start = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
            self.table = tf.lookup.StaticHashTable(start, -1.0)

        @tf.function(input_signature=[tf.TensorSpec([1], tf.string)])  # type: ignore[untyped-decorator]
        def look(self, words: Any) -> Any:
            return self.table.lookup(words) * 2.0

    module = Words()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.look)
    with pytest.raises(UnsupportedError, match="lookup table") as caught:
        load(tmp_path / "m")
    assert caught.value.fixes


def test_missing_variables_are_a_model_error(saved_model: Path) -> None:
    shutil.rmtree(saved_model / "variables")
    with pytest.raises(ModelError, match="incomplete") as caught:
        load(saved_model)
    assert str(saved_model) in str(caught.value)
    assert caught.value.fixes
