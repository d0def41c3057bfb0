"""Tiny models in every format, made when a test asks for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.loading.tiny_models import image_model, make_module, signatures, small_graph
from tfmobile.artifacts import SourceModel
from tfmobile.graph.run import run
from tfmobile.loading.quiet import keras3, quiet, tensorflow, tf_keras


@pytest.fixture(scope="session")
def tf() -> Any:
    """TensorFlow."""
    return tensorflow()


@pytest.fixture(scope="session")
def k2() -> Any:
    """Keras 2."""
    return tf_keras()


@pytest.fixture(scope="session")
def k3() -> Any:
    """Keras 3."""
    return keras3()


@pytest.fixture
def answers() -> Callable[..., list[np.ndarray]]:
    """Run a loaded model: inputs in the order of its signature, outputs likewise."""

    def call(source: SourceModel, *values: Any) -> list[np.ndarray]:
        assert source.graph is not None
        feeds = {
            spec.key: np.asarray(value, spec.dtype) for spec, value in zip(source.graph.inputs, values, strict=True)
        }
        return list(run(source.graph, feeds).values())

    return call


@pytest.fixture
def frozen_pb(tf: Any, tmp_path: Path) -> Path:
    """y = softmax(dropout-free relu(x @ w) + b), x of [?, 4]; also an Assert and a summary that nothing needs."""
    path = tmp_path / "frozen.pb"
    path.write_bytes(small_graph(tf).SerializeToString())
    return path


@pytest.fixture
def checkpoint(tf: Any, tmp_path: Path) -> Path:
    """The prefix of a TF1 training checkpoint: pred = x @ w + b, loss against ``label``, gradient descent."""
    v1 = tf.compat.v1
    prefix = tmp_path / "model.ckpt"
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        label = v1.placeholder(tf.float32, [None, 1], name="label")
        w = v1.get_variable("w", initializer=tf.constant([[2.0], [3.0]]), use_resource=False)
        b = v1.get_variable("b", initializer=tf.constant([1.0]), use_resource=True)
        pred = tf.add(tf.matmul(x, w), b, name="pred")
        loss = tf.reduce_mean(tf.square(pred - label), name="loss")
        v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(prefix))
    return prefix


@pytest.fixture
def saved_model(tf: Any, tmp_path: Path) -> Path:
    """A TF2 SavedModel with the signatures serving_default (dense), and scale."""
    folder = tmp_path / "saved"
    module = make_module(tf)
    tf.saved_model.save(module, str(folder), signatures=signatures(module))
    return folder


@pytest.fixture
def saved_model_v1(tf: Any, tmp_path: Path) -> Path:
    """A TF1 SavedModel without object graph, with two MetaGraphs: tags serve, and train."""
    v1 = tf.compat.v1
    folder = tmp_path / "saved_v1"
    builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
    for number, tags in enumerate((["train"], ["serve"])):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 2], name="x")
            keep_prob = v1.placeholder(tf.float32, [], name="keep_prob")
            w = v1.get_variable("w", initializer=tf.constant([2.0, 3.0]), use_resource=True)
            y = tf.multiply(x, w, name="y") / keep_prob + float(number)
            session.run(v1.global_variables_initializer())
            predict = v1.saved_model.signature_def_utils.predict_signature_def({"image": x}, {"answer": y})
            add = builder.add_meta_graph_and_variables if number == 0 else builder.add_meta_graph
            arguments = {"signature_def_map": {"serving_default": predict}}
            if number == 0:
                add(session, tags, **arguments)
            else:
                add(tags, **arguments)
    builder.save()
    return folder


@pytest.fixture
def keras2_h5(k2: Any, tmp_path: Path) -> Path:
    """A Keras 2 HDF5 model."""
    path = tmp_path / "model.h5"
    with quiet():
        image_model(k2).save(str(path))
    return path


@pytest.fixture
def keras2_archive(k2: Any, tmp_path: Path) -> Path:
    """A ``.keras`` file of Keras 2."""
    path = tmp_path / "keras2.keras"
    with quiet():
        image_model(k2).save(str(path))
    return path


@pytest.fixture
def keras3_archive(k3: Any, tmp_path: Path) -> Path:
    """A ``.keras`` file of Keras 3."""
    path = tmp_path / "keras3.keras"
    with quiet():
        image_model(k3).save(str(path))
    return path


@pytest.fixture
def tflite(tf: Any, tmp_path: Path) -> Path:
    """A .tflite of one addition."""
    path = tmp_path / "model.tflite"

    @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32)])  # type: ignore[untyped-decorator]
    def add(x: Any) -> Any:
        return x + 1.0

    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([add.get_concrete_function()])
        path.write_bytes(converter.convert())
    return path
