"""Scales and shifts go into the layers behind and before them, whatever stands in between."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.passes.freezing import freeze, tf1
from tfmobile.graph.model import Graph
from tfmobile.passes import BAKED_PASSES, rewrite

SETTINGS = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
NORMS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "Mul", "Rsqrt"}
RANDOM = np.random.default_rng(0)


def _left(graph: Graph, *calls: str, tolerance: float = 1e-5) -> Counter[str]:
    result = rewrite(graph, ["fold-constants", *calls], tolerance=tolerance)
    for step in result.steps:
        assert not step.refused, (step.name, step.reason, step.first_difference)
        assert step.max_rel is not None
    return Counter(node.op for node in result.graph)


def _values(*shape: int) -> Any:
    return (RANDOM.uniform(0.5, 1.5, shape) * RANDOM.choice([1, -1], shape)).astype("float32")


def _norm(tf: Any, x: Any, sign: float = 1.0) -> Any:
    gamma, beta, mean, variance = (np.abs(_values(x.shape[-1])) for _ in range(4))
    return tf.compat.v1.nn.fused_batch_norm(x, gamma * sign, beta, mean, variance, is_training=False)[0]


JOINS = ["concat", "concat of three", "concat on rows", "sum", "concat of sums", "add_n"]


@pytest.mark.parametrize("how", JOINS)
@pytest.mark.parametrize("deep", [False, True])
def test_a_batch_norm_after_joined_layers_folds_into_each(how: str, deep: bool) -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        def layer(place: int) -> Any:
            if deep and place == 1:
                return tf.nn.depthwise_conv2d(x, _values(3, 3, 3, 1), [1, 1, 1, 1], "SAME")
            y = tf.nn.conv2d(x, _values(3, 3, 3, 3), 1, "SAME")
            return y + _values(3) if place == 0 else y

        a, b, c = layer(0), layer(1), layer(2)
        joined = {
            "concat": lambda: tf.concat([a, b], -1),
            "concat of three": lambda: tf.concat([a, b, c], 3),
            "concat on rows": lambda: tf.concat([a, b], 1),
            "sum": lambda: a + b,
            "concat of sums": lambda: tf.concat([a + b, c], -1),
            "add_n": lambda: tf.add_n([a, b, c]),
        }[how]()
        return tf.nn.relu(_norm(tf, joined, -1.0), name="y")

    for call in ("fold-batch-norms", "fold-old-batch-norms"):
        left = _left(tf1(build, (2, 5, 5, 3)), "strip-unused", call, tolerance=2e-5)
        assert not NORMS & left.keys(), left


BETWEEN = ["nothing", "average", "maximum", "mean", "transpose", "resize", "mirror", "flatten"]


def _between(tf: Any, how: str, x: Any) -> Any:
    return {
        "nothing": lambda: x,
        "average": lambda: tf.nn.avg_pool2d(x, 2, 2, "SAME"),
        "maximum": lambda: tf.nn.max_pool2d(x, 2, 2, "SAME"),
        "mean": lambda: tf.reduce_mean(x, [1, 2], keepdims=True),
        "transpose": lambda: tf.transpose(x, [0, 2, 1, 3]),
        "resize": lambda: tf.compat.v1.image.resize_nearest_neighbor(x, [7, 9]),
        "mirror": lambda: tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]], "REFLECT"),
        "flatten": lambda: tf.reshape(x, [-1, 5 * 5 * 3]),
    }[how]()


@pytest.mark.parametrize("how", BETWEEN)
def test_a_batch_norm_folds_past_what_treats_channels_alike(how: str) -> None:
    import tensorflow as tf

    def before(x: Any) -> Any:  # batch norm, something, layer
        y = _between(tf, how, _norm(tf, tf.nn.relu(x)))
        if how == "flatten":
            return tf.identity(tf.matmul(y, _values(75, 4)), name="y")
        return tf.nn.conv2d(y, _values(1, 1, 3, 4), 1, "SAME", name="y")

    assert not NORMS & _left(tf1(before, (2, 5, 5, 3)), "fold-batch-norms").keys()
    if how == "flatten":
        return

    def after(x: Any) -> Any:  # layer, something, batch norm
        y = _between(tf, how, tf.nn.conv2d(x, _values(2, 2, 3, 4), 1, "SAME"))
        return tf.nn.relu(_norm(tf, y), name="y")

    assert not NORMS & _left(tf1(after, (2, 5, 5, 3)), "fold-batch-norms").keys()


def test_a_negative_scale_does_not_fold_past_a_maximum() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        y = tf.nn.max_pool2d(tf.nn.conv2d(x, _values(2, 2, 3, 4), 1, "SAME"), 2, 2, "SAME")
        return tf.nn.relu(_norm(tf, y, -1.0), name="y")

    assert _left(tf1(build, (2, 5, 5, 3)), "fold-batch-norms")["FusedBatchNormV3"] == 1


def _normalized(tf: Any, x: Any, form: str) -> Any:
    mean, std = np.array([1.0, 2.0, 3.0], "float32"), np.array([2.0, 3.0, 4.0], "float32")
    return {
        "one number": lambda: x / 2.0 - 1.0,
        "the other way": lambda: 1.0 - x * 0.5,
        "by channel": lambda: (x - mean) / std,
        "scale alone": lambda: x * std,
        "shift alone": lambda: x - 1.5,
        "bgr": lambda: tf.reverse((x - mean) * 0.5, [-1]),
        "padded": lambda: tf.pad(x * 0.5 - 1.0, [[0, 0], [1, 1], [2, 0], [0, 0]]),
    }[form]()


FORMS = ["one number", "the other way", "by channel", "scale alone", "shift alone", "bgr", "padded"]


@SETTINGS
@given(
    form=st.sampled_from(FORMS),
    kind=st.sampled_from(["conv", "depthwise", "transposed", "dense"]),
    padding=st.sampled_from(["SAME", "VALID"]),
    size=st.integers(4, 7),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    dynamic=st.booleans(),
    bias=st.booleans(),
)
def test_any_preprocessing_before_any_layer_keeps_the_answer(
    form: str, kind: str, padding: str, size: int, kernel: int, stride: int, dynamic: bool, bias: bool
) -> None:
    import tensorflow as tf

    strides = [1, stride, stride, 1]

    def build(x: Any) -> Any:
        y = _normalized(tf, x, form)
        if kind == "conv":
            y = tf.nn.conv2d(y, _values(kernel, kernel, 3, 4), strides, padding)
        elif kind == "depthwise":
            y = tf.nn.depthwise_conv2d(y, _values(kernel, kernel, 3, 2), strides, padding)
        elif kind == "transposed":
            y = tf.nn.conv2d_transpose(y, _values(1, 1, 4, 3), [2, size, size, 4], 1, "SAME") if form != "padded" else y
        else:
            y = tf.reshape(tf.reshape(y, [-1, 3]) @ _values(3, 4), [-1, 4])
        return tf.nn.relu(y + _values(y.shape[-1]) if bias else y, name="y")

    open_size = dynamic and kind not in ("transposed",)
    graph = tf1(build, (2, None, None, 3) if open_size else (2, size, size, 3))
    left = _left(graph, "strip-unused", "fold-input-scale", tolerance=2e-5)
    exact = kind == "dense" or (kind in ("conv", "depthwise") and (padding == "VALID" or kernel == 1))
    if exact and form in ("one number", "the other way", "by channel", "scale alone", "shift alone"):
        assert not {"Mul", "RealDiv", "Sub"} & left.keys(), left


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_preprocessing_is_baked_and_then_folded(dtype: str, color: str, padding: str) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([layers.Input((9, 9, 3)), layers.Conv2D(4, 3, padding=padding), layers.Conv2D(2, 1)])
    graph = freeze(lambda x: model(x), (1, 9, 9, 3))
    pixels = RANDOM.integers(0, 256, (2, 1, 9, 9, 3)).astype("float32")
    feeds = [{"x": (picture[..., :: -1 if color == "bgr" else 1] - 127.5) / 127.5} for picture in pixels]
    bake = f"bake-preprocessing(mean=127.5, std=127.5, color={color}, dtype={dtype})"
    result = rewrite(graph, [bake, *BAKED_PASSES], feeds, tolerance=1e-5)
    for step in result.steps:
        assert not step.refused, (step.name, step.reason, step.first_difference)
        assert step.max_rel is not None
    assert result.graph.inputs[0].dtype == dtype
    left = Counter(node.op for node in result.graph)
    assert not {"Sub", "Mul", "ReverseV2"} & left.keys(), left
    assert left["Cast"] == (dtype == "uint8")
    assert left["PadV2"] == (padding == "same")


@pytest.mark.slow
@pytest.mark.parametrize("call", ["mean=127.5, std=127.5", 'mean="123.7,116.8,103.9", std=58, color=bgr, dtype=uint8'])
def test_mobilenet_takes_pixels(shared: Path, call: str) -> None:
    from tfmobile.loading import load

    graph = load(shared / "models" / "mobilenet_v1_0.25_224" / "frozen.pb").graph
    assert graph is not None
    result = rewrite(graph, [f"bake-preprocessing({call})", *BAKED_PASSES])
    assert not any(step.refused for step in result.steps), result.steps
    assert result.steps[-1].max_rel is not None
    assert result.steps[-1].max_rel <= 1e-5
    left = Counter(node.op for node in result.graph)
    assert not {"Mul", "ReverseV2", "FusedBatchNorm", "FusedBatchNormV3"} & left.keys(), left
