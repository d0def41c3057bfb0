"""Other people's models: loaded, run, and compared with what their own framework answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmobile.graph.run import run
from tfmobile.loading import load
from tfmobile.loading.quiet import quiet

MOBILENET = "models/mobilenet_v1_0.25_224"


def answer(path: Path, x: Any, **options: Any) -> np.ndarray:
    """The only output for the only input."""
    source = load(path, **options)
    assert source.graph is not None
    (spec,) = source.graph.inputs
    (value,) = run(source.graph, {spec.key: np.asarray(x, spec.dtype)}).values()
    return value


def noise(*shape: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(5).uniform(-scale, scale, shape).astype(np.float32)


def test_four_containers_of_mobilenet_agree(k2: Any, shared: Path) -> None:
    x = noise(1, 224, 224, 3)
    answers = [
        answer(shared / MOBILENET / name, x) for name in ("model.h5", "frozen.pb", "saved_model_v1", "tf1_checkpoint")
    ]
    with quiet():
        expected = k2.models.load_model(str(shared / MOBILENET / "model.h5"), compile=False).predict(x, verbose=0)
    for other in answers:
        assert other.shape == (1, 1000)
        np.testing.assert_allclose(other, answers[0], rtol=0, atol=1e-6)
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "scale"),
    [
        ("resnet8_cifar10.h5", (1, 32, 32, 3), 255.0),
        ("vww_96.h5", (1, 96, 96, 3), 1.0),
        ("ad01.h5", (1, 640), 10.0),
    ],
)
def test_keras2_models_answer_like_keras(
    k2: Any, shared: Path, name: str, shape: tuple[int, ...], scale: float
) -> None:
    path = shared / "models/mlperf_tiny" / name
    x = noise(*shape, scale=scale)
    with quiet():
        expected = k2.models.load_model(str(path), compile=False).predict(x, verbose=0)
    np.testing.assert_allclose(answer(path, x), expected, rtol=1e-5, atol=1e-5)


def test_saved_model_of_2020_answers_like_tensorflow(tf: Any, shared: Path) -> None:
    path = shared / "models/mlperf_tiny/kws_ref_model"
    x = noise(1, 49, 10, 1, scale=50.0)
    with quiet():
        loaded = tf.saved_model.load(str(path))
    expected = loaded.signatures["serving_default"](tf.constant(x))["dense"]
    np.testing.assert_allclose(answer(path, x), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_efficientnet_of_keras_3_answers_like_keras(k3: Any, shared: Path) -> None:
    path = shared / "models/efficientnet_lite0/model.keras"
    x = noise(1, 224, 224, 3)
    with quiet():
        expected = k3.models.load_model(str(path), compile=False).predict(x, verbose=0)
    np.testing.assert_allclose(answer(path, x), expected, rtol=0, atol=1e-5)


def test_speech_model_is_cut_at_its_features(tf: Any, shared: Path) -> None:
    path = shared / "models/kws_ds_cnn/DS_CNN_S.pb"
    x = noise(1, 49, 10, scale=20.0)
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        expected = session.run("labels_softmax:0", {"Mfcc:0": x})
    ends = {"input": ("Mfcc",), "output": ("labels_softmax",)}
    np.testing.assert_allclose(answer(path, x, **ends), expected, rtol=0, atol=1e-5)
    source = load(path, **ends)
    assert source.graph is not None
    assert source.graph.inputs[0].shape == (1, 49, 10)
    assert source.graph.nodes["Mfcc"].op == "Placeholder"


def test_three_containers_of_a_regression_agree(shared: Path) -> None:
    folder = shared / "models/tf1_regression"
    answers = [
        float(answer(folder / name, 2.0, input_shape=["X=scalar"]))
        for name in ("checkpoint", "saved_model", "graphdef/frozen.pb")
    ]
    assert answers[0] == pytest.approx(answers[1], abs=1e-6) == pytest.approx(answers[2], abs=1e-6)


def test_float16_tflite_is_read_back(shared: Path) -> None:
    path = shared / "models/face_detection_front.tflite"
    assert load(path).tflite == path.read_bytes()
