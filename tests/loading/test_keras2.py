"""Keras 2 files: HDF5 and archive, through tf_keras."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loading.tiny_models import image_model
from tfmobile.errors import ModelError, UsageError
from tfmobile.loading import identify, load
from tfmobile.loading.quiet import quiet

X = np.random.default_rng(3).normal(size=(1, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("fixture", ["keras2_h5", "keras2_archive"])
def test_model_answers_like_keras(
    k2: Any, fixture: str, request: pytest.FixtureRequest, answers: Callable[..., Any]
) -> None:
    path = request.getfixturevalue(fixture)
    source = load(path)
    assert source.format == "keras2"
    assert source.summary.endswith(f"saved by Keras {k2.__version__}")
    assert source.graph is not None
    assert [(spec.key, spec.shape) for spec in source.graph.inputs] == [("picture", (1, 8, 8, 3))]
    assert [(spec.key, spec.shape) for spec in source.graph.outputs] == [("scores", (1, 3))]
    expected = k2.models.load_model(str(path), compile=False).predict(X, verbose=0)
    np.testing.assert_allclose(answers(source, X)[0], expected, atol=1e-6)


def test_another_file_name_makes_no_difference(keras2_archive: Path) -> None:
    renamed = keras2_archive.rename(keras2_archive.with_name("model.backup"))
    assert identify(renamed).format == "keras2"
    assert load(renamed).graph is not None


def test_loading_leaves_the_environment_alone(keras2_h5: Path) -> None:
    before = dict(os.environ)
    load(keras2_h5)
    after = dict(os.environ)
    after.pop("TF_CPP_MIN_LOG_LEVEL", None)
    before.pop("TF_CPP_MIN_LOG_LEVEL", None)
    assert after == before


def test_open_picture_size_asks_for_input_shape(k2: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    path = tmp_path / "open.h5"
    with quiet():
        image_model(k2, shape=(None, None, 3)).save(str(path))
    with pytest.raises(ModelError, match="no fixed shape") as caught:
        load(path)
    assert caught.value.fixes == ("--input-shape picture=1x224x224x3",)
    source = load(path, input_shape=["2x8x8x3"])
    assert source.graph is not None
    assert source.graph.outputs[0].shape == (2, 3)
    assert answers(source, np.concatenate([X, X]))[0].shape == (2, 3)


def test_two_inputs_need_named_shapes(k2: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    a, b = k2.Input((None, 2), name="a"), k2.Input((3,), name="b")
    model = k2.Model([b, a], [k2.layers.GlobalMaxPool1D(name="most")(a), k2.layers.ReLU(name="positive")(b)])
    path = tmp_path / "two.h5"
    with quiet():
        model.save(str(path))
    with pytest.raises(UsageError, match="which input"):
        load(path, input_shape=["1x5x2"])
    source = load(path, input_shape=["a=1x5x2"])
    assert source.graph is not None
    assert [spec.key for spec in source.graph.inputs] == ["b", "a"]
    assert [spec.key for spec in source.graph.outputs] == ["most", "positive"]
    most, positive = answers(source, [[1.0, -1.0, 2.0]], np.arange(10.0).reshape(1, 5, 2))
    np.testing.assert_array_equal(most, [[8.0, 9.0]])
    np.testing.assert_array_equal(positive, [[1.0, 0.0, 2.0]])


def test_recurrent_layer_answers_like_keras(k2: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    k2.utils.set_random_seed(0)
    model = k2.Sequential([k2.Input((5, 2)), k2.layers.LSTM(3), k2.layers.Dense(1)])
    path = tmp_path / "lstm.h5"
    with quiet():
        model.save(str(path))
    x = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(answers(load(path), x)[0], model.predict(x, verbose=0), atol=1e-6)


def test_output_inside_the_network(keras2_h5: Path) -> None:
    whole = load(keras2_h5)
    assert whole.graph is not None
    relu = next(node.name for node in whole.graph if node.op == "Relu6")
    source = load(keras2_h5, output=[relu])
    assert source.graph is not None
    assert source.graph.outputs[0].shape == (1, 8, 8, 4)


def test_weights_alone_say_what_is_missing(k2: Any, tmp_path: Path) -> None:
    path = tmp_path / "only.weights.h5"
    image_model(k2).save_weights(str(path))
    with pytest.raises(ModelError, match="no whole Keras model") as caught:
        load(path)
    assert "weights without a network" in caught.value.why
    assert caught.value.fixes


def test_operations_on_tensors_are_plain_keras(k2: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    import tensorflow as tf

    x = k2.Input((2,), name="x")
    model = k2.Model(x, tf.nn.relu(tf.concat([x * 2.0, tf.reduce_sum(x, axis=1, keepdims=True)], axis=1)))
    path = tmp_path / "ops.h5"
    with quiet():
        model.save(str(path))
    np.testing.assert_array_equal(answers(load(path), [[1.0, 2.0]])[0], [[2.0, 4.0, 3.0]])
