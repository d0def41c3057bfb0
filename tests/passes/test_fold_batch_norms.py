"""Batch norms of real networks, folded: none is left, and the answers are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.passes.freezing import freeze, shake, tf1
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.passes import rewrite

_LEFTOVERS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "Rsqrt", "Mul", "Sub"}


def _folded(graph: Graph, tolerance: float = 1e-5) -> Counter[str]:
    """Fold, check the answers, and count what is left by op."""
    result = rewrite(graph, ["remove-training-nodes", "fold-constants", "fold-batch-norms"], tolerance=tolerance)
    for step in result.steps:
        assert not step.refused, (step.name, step.reason, step.first_difference)
        assert step.max_rel is not None
    generator = np.random.default_rng(7)
    shape = [size or 2 for size in graph.inputs[0].shape or ()]
    feed = {"x": generator.normal(size=shape).astype("float32")}
    before, after = run(graph, feed), run(result.graph, feed)
    for key, value in before.items():
        assert np.abs(value - after[key]).max() <= tolerance * np.abs(value).max()
    return Counter(node.op for node in result.graph)


NAMES = [
    "conv",
    "conv with bias",
    "dilated conv",
    "depthwise",
    "separable",
    "transposed",
    "transposed, no bias",
    "dense",
    "no scale",
    "no center",
    "after activation",
    "dropout between",
]


def _keras_layers(keras: Any) -> dict[str, list[Any]]:
    layers = keras.layers
    return {
        "conv": [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()],
        "conv with bias": [layers.Conv2D(4, 3, strides=2, padding="same"), layers.BatchNormalization()],
        "dilated conv": [layers.Conv2D(4, 3, dilation_rate=2, padding="same"), layers.BatchNormalization()],
        "depthwise": [layers.DepthwiseConv2D(3, depth_multiplier=2), layers.BatchNormalization(), layers.ReLU(6.0)],
        "separable": [layers.SeparableConv2D(5, 3), layers.BatchNormalization()],
        "transposed": [layers.Conv2DTranspose(3, 3, strides=2, padding="same"), layers.BatchNormalization()],
        "transposed, no bias": [layers.Conv2DTranspose(3, 2, use_bias=False), layers.BatchNormalization()],
        "dense": [layers.Flatten(), layers.Dense(6), layers.BatchNormalization(), layers.ReLU()],
        "no scale": [layers.Conv2D(4, 1), layers.BatchNormalization(scale=False)],
        "no center": [layers.Conv2D(4, 1), layers.BatchNormalization(center=False)],
        "after activation": [layers.Conv2D(4, 1), layers.ReLU(), layers.Conv2D(4, 1), layers.BatchNormalization()],
        "dropout between": [layers.Conv2D(4, 1), layers.Dropout(0.5), layers.BatchNormalization()],
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_keras_batch_norms_fold_into(package: str, name: str) -> None:
    keras = pytest.importorskip(package)
    model = keras.Sequential([keras.layers.Input((8, 8, 3)), *_keras_layers(keras)[name]])
    shake(model)
    left = _folded(freeze(lambda x: model(x, training=False), (2, 8, 8, 3)))
    assert not _LEFTOVERS & left.keys(), left


def test_conv1d_folds_through_its_squeeze() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((8, 3)), keras.layers.Conv1D(4, 3), keras.layers.BatchNormalization()])
    shake(model)
    left = _folded(freeze(lambda x: model(x, training=False), (2, 8, 3)))
    assert not _LEFTOVERS & left.keys(), left


def _norm(tf: Any, x: Any, channels: int, **options: Any) -> Any:
    generator = np.random.default_rng(5)
    values = [generator.uniform(0.5, 2.0, channels).astype("float32") for _ in range(4)]
    return tf.compat.v1.nn.fused_batch_norm(x, *values, is_training=False, **options)[0]


def test_channels_first_convolutions_fold() -> None:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype("float32")

    def build(x: Any) -> Any:
        y = tf.nn.conv2d(x, w, 1, "SAME", data_format="NCHW")
        y = tf.nn.bias_add(y, [1.0, 2.0, 3.0, 4.0], data_format="NCHW")
        return tf.identity(_norm(tf, y, 4, data_format="NCHW"), name="y")

    left = _folded(tf1(build, (1, 2, 6, 6)))
    assert left["FusedBatchNormV3"] == 0
    assert left["BiasAdd"] == 1


def test_batch_matmul_folds() -> None:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    scale = np.array([1.0, 2.0, 3.0, 4.0], "float32")
    left = _folded(tf1(lambda x: tf.raw_ops.BatchMatMulV2(x=x, y=w) * scale + scale, (2, 5, 3)))
    assert left == Counter({"Const": 2, "Placeholder": 1, "BatchMatMulV2": 1, "BiasAdd": 1})


def test_weights_stored_as_float16_and_cast_fold() -> None:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(1, 1, 3, 4)).astype("float16")

    def build(x: Any) -> Any:
        return tf.identity(_norm(tf, tf.nn.conv2d(x, tf.cast(w, tf.float32), 1, "SAME"), 4), name="y")

    assert _folded(tf1(build, (1, 4, 4, 3)))["FusedBatchNormV3"] == 0


def test_a_shared_convolution_output_is_left_and_said() -> None:
    import tensorflow as tf

    w = np.ones((1, 1, 3, 4), "float32")

    def build(x: Any) -> Any:
        y = tf.nn.conv2d(x, w, 1, "SAME", name="conv")
        return tf.add(_norm(tf, y, 4, name="bn"), y, name="y")

    step = rewrite(tf1(build, (1, 4, 4, 3)), ["fold-batch-norms"]).steps[0]
    assert step.changed == ()
    assert "read by 2 nodes" in step.skipped[0]


def test_weights_that_two_layers_share_are_not_corrupted() -> None:
    import tensorflow as tf

    w = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype("float32"))

    def build(x: Any) -> Any:
        shared = tf.constant(w.numpy())
        y = tf.nn.relu(_norm(tf, tf.nn.conv2d(x, shared, 1, "SAME"), 4))
        return tf.nn.conv2d(y, shared, 1, "SAME", name="y")

    left = _folded(tf1(build, (1, 6, 6, 4)))
    assert left["Conv2D"] == 2
    assert left["FusedBatchNormV3"] == 0


def _layers(tf: Any) -> dict[str, Callable[..., Any]]:
    return {
        "conv": lambda x, w, stride, pad: tf.nn.conv2d(x, w, stride, pad),
        "depthwise": lambda x, w, stride, pad: tf.nn.depthwise_conv2d(x, w, [1, stride, stride, 1], pad),
        "dense": lambda x, w, stride, pad: tf.matmul(tf.reshape(x, (-1, x.shape[-1])), w[0, 0]),
    }


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["conv", "depthwise", "dense"]),
    channels=st.integers(1, 5),
    outputs=st.integers(1, 4),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.sampled_from(["SAME", "VALID"]),
    bias=st.sampled_from(["none", "BiasAdd", "AddV2"]),
    form=st.sampled_from(["fused", "decomposed", "textbook"]),
    epsilon=st.sampled_from([1e-3, 1e-5]),
    seed=st.integers(0, 2**16),
)
def test_any_batch_norm_after_any_layer_folds(
    kind: str,
    channels: int,
    outputs: int,
    kernel: int,
    stride: int,
    padding: str,
    bias: str,
    form: str,
    epsilon: float,
    seed: int,
) -> None:
    import tensorflow as tf

    generator = np.random.default_rng(seed)

    def values(*shape: int) -> Any:
        return generator.normal(size=shape).astype("float32")

    def build(x: Any) -> Any:
        y = _layers(tf)[kind](x, values(kernel, kernel, channels, outputs), stride, padding)
        width = y.shape[-1]
        if bias != "none":
            y = tf.nn.bias_add(y, values(width)) if bias == "BiasAdd" else y + values(width)
        gamma, beta, mean = values(width), values(width), values(width)
        variance = generator.uniform(0.1, 3.0, width).astype("float32")
        if form == "fused" and kind != "dense":
            y = tf.compat.v1.nn.fused_batch_norm(y, gamma, beta, mean, variance, epsilon, is_training=False)[0]
        elif form == "textbook":
            y = (y - mean) / tf.sqrt(variance + epsilon) * gamma + beta
        else:
            y = tf.nn.batch_normalization(y, mean, variance, beta, gamma, epsilon)
        return tf.nn.relu(y, name="y")

    left = _folded(tf1(build, (2, 5, 5, channels)), tolerance=2e-5)
    assert not _LEFTOVERS & left.keys(), left
