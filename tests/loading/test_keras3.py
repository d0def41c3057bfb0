"""Keras 3 files: archive, and HDF5 that Keras 3 saved."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loading.tiny_models import image_model
from tfmobile.errors import ModelError
from tfmobile.loading import load
from tfmobile.loading.quiet import quiet

X = np.random.default_rng(3).normal(size=(1, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.bin"])
def test_model_answers_like_keras(k3: Any, tmp_path: Path, name: str, answers: Callable[..., Any]) -> None:
    path = tmp_path / name
    model = image_model(k3)
    with quiet():
        model.save(str(path.with_suffix(".keras") if name == "model.bin" else path))
    if name == "model.bin":
        path.with_suffix(".keras").rename(path)
    source = load(path)
    assert source.format == "keras3"
    assert source.summary.endswith(f"saved by Keras {k3.__version__}")
    assert source.graph is not None
    assert [spec.key for spec in source.graph.inputs] == ["picture"]
    assert [spec.key for spec in source.graph.outputs] == ["scores"]
    np.testing.assert_allclose(answers(source, X)[0], model.predict(X, verbose=0), atol=1e-6)


def test_both_keras_live_in_one_process(keras2_h5: Path, keras3_archive: Path, answers: Callable[..., Any]) -> None:
    assert load(keras2_h5).format == "keras2"
    assert load(keras3_archive).format == "keras3"
    assert load(keras2_h5).format == "keras2"
    assert "KERAS_BACKEND" not in os.environ


def test_dictionary_of_inputs_is_packed_again(k3: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    a, b = k3.Input((2,), name="a"), k3.Input((2,), name="b")
    model = k3.Model({"b": b, "a": a}, {"minus": k3.layers.Subtract(name="minus")([a, b])})
    path = tmp_path / "dict.keras"
    with quiet():
        model.save(str(path))
    source = load(path)
    assert source.graph is not None
    feeds = {"a": [[5.0, 5.0]], "b": [[1.0, 2.0]]}
    values = [feeds[spec.key] for spec in source.graph.inputs]
    np.testing.assert_array_equal(answers(source, *values)[0], [[4.0, 3.0]])


def test_integer_input_keeps_its_type(k3: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    model = k3.Sequential([k3.Input((4,), dtype="int32", name="ids"), k3.layers.Embedding(10, 2)])
    path = tmp_path / "ids.keras"
    with quiet():
        model.save(str(path))
    source = load(path)
    assert source.graph is not None
    assert source.graph.inputs[0].dtype == "int32"
    ids = np.array([[0, 9, 3, 3]], np.int32)
    np.testing.assert_allclose(answers(source, ids)[0], model(ids), atol=1e-6)


def test_open_picture_size_asks_for_input_shape(k3: Any, tmp_path: Path) -> None:
    path = tmp_path / "open.keras"
    with quiet():
        image_model(k3, shape=(None, None, 3)).save(str(path))
    with pytest.raises(ModelError, match="no fixed shape") as caught:
        load(path)
    assert caught.value.fixes == ("--input-shape picture=1x224x224x3",)
    source = load(path, input_shape=["picture=1x8x8x3"])
    assert source.graph is not None
    assert source.graph.inputs[0].shape == (1, 8, 8, 3)


def test_operations_on_tensors_are_plain_keras(k3: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    x = k3.Input((2,), name="x")
    path = tmp_path / "ops.keras"
    with quiet():
        k3.Model(x, k3.ops.concatenate([x * 2.0, k3.ops.sum(x, axis=1, keepdims=True)], axis=1)).save(str(path))
    np.testing.assert_array_equal(answers(load(path), [[1.0, 2.0]])[0], [[2.0, 4.0, 3.0]])


def test_recurrent_layer_answers_like_keras(k3: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    k3.utils.set_random_seed(0)
    model = k3.Sequential([k3.Input((5, 2)), k3.layers.GRU(3), k3.layers.Dense(1)])
    path = tmp_path / "gru.keras"
    with quiet():
        model.save(str(path))
    x = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(answers(load(path), x)[0], model.predict(x, verbose=0), atol=1e-6)
