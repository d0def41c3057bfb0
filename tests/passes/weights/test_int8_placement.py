"""quantize-nodes: the converter makes int8 kernels of what it placed, and they answer as TensorFlow says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import freeze
from tests.passes.weights.int8_conversion import convert_int8
from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Array, Graph
from tfmobile.graph.run import run
from tfmobile.graph.text_parser import parse_graph
from tfmobile.loading import load
from tfmobile.passes import make_pass, rewrite
from tfmobile.runtime.describe import describe
from tfmobile.runtime.interpreter import Interpreter, open_interpreter
from tfmobile.scheme.placement import place

CALL = "quantize_nodes(input_min=-1, input_max=1, fallback_min=-6, fallback_max=6)"
SHAPE = (1, 8, 8, 3)


def _weights(*shape: int, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).normal(size=shape) * 0.3).astype(np.float32)


def _conv(x: Any, activation: str = "relu6", *, filters: int = 8, seed: int = 0, size: int = 3) -> Any:
    import tensorflow as tf

    y = tf.nn.conv2d(x, _weights(size, size, x.shape[-1], filters, seed=seed), 1, "SAME") + _weights(filters, seed=9)
    return getattr(tf.nn, activation)(y) if activation else y


def _classifier(x: Any) -> Any:
    import tensorflow as tf

    x = tf.nn.depthwise_conv2d(_conv(x), _weights(3, 3, 8, 2), [1, 2, 2, 1], "SAME") + _weights(16)
    x = tf.reduce_mean(tf.nn.relu(x), [1, 2])
    return tf.nn.softmax(tf.matmul(x, _weights(16, 5)) + _weights(5))


def _joined(x: Any) -> Any:
    import tensorflow as tf

    softmax = tf.nn.softmax(_conv(x, "", seed=1))
    joined = tf.concat([_conv(x), softmax, _conv(x, "relu", seed=2), np.full((1, 8, 8, 1), 7, np.float32)], -1)
    return _conv(tf.concat([joined, joined[..., :4] * 2.0], -1))


def _residual(x: Any) -> Any:
    import tensorflow as tf

    y = _conv(x)
    z = tf.nn.relu(_conv(y, "", seed=1) + y)
    gate = tf.sigmoid(_conv(tf.reduce_mean(z, [1, 2], keepdims=True), "", size=1))
    return tf.maximum(z * gate, _conv(z, "leaky_relu", seed=3))


def _moved_about(x: Any) -> Any:
    import tensorflow as tf

    y = tf.nn.max_pool2d(tf.nn.avg_pool2d(_conv(x), 2, 2, "SAME"), 2, 1, "SAME")
    y = tf.pad(tf.transpose(y, [0, 2, 1, 3]), [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-1.0)
    y = tf.stack(tf.split(_conv(tf.compat.v1.image.resize_bilinear(y, [8, 8])), 2, -1), 1)
    return tf.reshape(y, [1, -1])


def _activations(x: Any) -> list[Any]:
    import tensorflow as tf

    y = _conv(x, "")
    unit = tf.nn.l2_normalize(_conv(x, "relu", seed=4) + 1.0, -1)
    swish = y * tf.nn.relu6(y + 3.0) / 6.0
    return [swish, tf.nn.gelu(y, approximate=False), unit, _conv(tf.clip_by_value(y, -1.0, 1.0)), tf.tanh(y)]


def _transposed(x: Any) -> Any:
    import tensorflow as tf

    y = tf.nn.conv2d_transpose(_conv(x), _weights(3, 3, 4, 8), [1, 16, 16, 4], 2, "SAME") + _weights(4)
    return tf.matmul(tf.reshape(y, [1, 256, 4]), tf.reshape(_conv(x), [1, 4, 128]))


def _equal_bias(x: Any) -> Any:
    import tensorflow as tf

    return tf.nn.conv2d(x, _weights(3, 3, 3, 8), 1, "SAME") + np.full(8, 0.37, np.float32)


def _both(graph: Graph, answers: Callable[[dict[str, Array]], dict[str, Array]]) -> list[tuple[Array, Array]]:
    feeds = {"x": np.random.default_rng(5).uniform(-1, 1, SHAPE).astype(np.float32)}
    expected, got = run(graph, feeds), answers(feeds)
    return list(zip(expected.values(), got.values(), strict=True))


def _answers(model: Interpreter) -> Callable[[dict[str, Array]], dict[str, Array]]:
    """By position: the converter names the inputs and outputs as it likes."""
    (key,) = model.inputs
    return lambda feeds: dict(sorted(model.run({key: feeds["x"]}).items()))


@pytest.mark.parametrize(
    "model",
    [_classifier, _joined, _residual, _moved_about, _activations, _transposed, _equal_bias],
    ids=lambda model: model.__name__.strip("_"),
)
def test_all_of_it_becomes_int8_and_answers_as_tensorflow_says(model: Callable[[Any], Any]) -> None:
    result = make_pass(CALL).apply(freeze(model, SHAPE))
    assert not result.skipped
    content = convert_int8(result.graph)
    assert {one.kind for one in describe(content).ops} <= {"integer", "boundary"}
    for expected, got in _both(result.graph, _answers(open_interpreter(content, xnnpack=False))):
        step = 12 / 255
        assert np.abs(expected - got).max() <= 3.01 * step
        assert np.mean(np.abs(expected - got) > step * 0.01) < 0.35


def test_what_has_no_range_stays_in_float() -> None:
    result = make_pass("quantize_nodes(input_min=-1, input_max=1)").apply(freeze(_classifier, SHAPE))
    assert len(result.skipped) == 4
    kinds = {one.op: one.kind for one in describe(convert_int8(result.graph)).ops}
    assert kinds["CONV_2D"] == "integer"
    assert kinds["SOFTMAX"] == "float"


@pytest.mark.parametrize(
    "call",
    [
        "quantize_nodes(input_min=1)",
        "quantize_nodes(fallback_max=1)",
        "quantize_nodes(input_min=1, input_max=1)",
        "quantize_nodes(fallback_min=-inf, fallback_max=1)",
    ],
)
def test_half_a_range_is_refused(call: str) -> None:
    with pytest.raises(TfmobileError, match=r"_min"):
        make_pass(call)


def test_sites_sources_and_groups() -> None:
    graph = parse_graph("""
        input x: float32[1,4] = x
        output y: float32[1,12] = y
        x = Placeholder {dtype=float32, shape=[1,4]}
        half = Const float32[] (0.5)
        mul = Mul(x, half) {T=float32}
        relu = Relu(mul) {T=float32}
        copy = Identity(relu) {T=float32}
        tanh = Tanh(copy) {T=float32}
        axis = Const int32[] (1)
        y = ConcatV2(x, copy, tanh, axis) {N=3, T=float32, Tidx=int32}
    """)
    sites = {site.tensor.node: site for site in place(graph).sites}
    assert list(sites) == ["x", "relu", "tanh", "y"]
    assert [site.kind for site in sites.values()] == ["input", "computed", "fixed", "joined"]
    assert [(site.op, site.activation) for site in sites.values()] == [
        ("Placeholder", ""),
        ("Mul", "Relu"),
        ("Tanh", ""),
        ("ConcatV2", ""),
    ]
    assert [ref.node for ref in sites["y"].sources] == ["x", "relu", "tanh"]
    assert len({site.group for site in sites.values()}) == 1


@pytest.mark.slow
def test_mobilenet_becomes_int8_without_data(shared: Path) -> None:
    from PIL import Image

    folder = shared / "models" / "mobilenet_v1_0.25_224"
    folded = rewrite(load(folder / "frozen.pb").graph).graph
    result = make_pass("quantize_nodes(input_min=-1, input_max=1, fallback_min=-20, fallback_max=20)").apply(folded)
    assert not result.skipped
    content = convert_int8(result.graph)
    assert {one.kind for one in describe(content).ops} <= {"integer", "boundary"}
    assert len(content) < 0.32 * (folder / "frozen.pb").stat().st_size
    model = open_interpreter(content)
    (name,) = model.inputs
    (key,) = (spec.key for spec in folded.inputs)
    same = near = 0
    pictures = sorted((shared / "datasets" / "imagenet_val_500" / "images").glob("*.jpg"))[:60]
    for picture in pictures:
        pixels = (np.asarray(Image.open(picture), np.float32) / 127.5 - 1)[None]
        (before,), (rounded,), (int8,) = (
            found.values()
            for found in (run(folded, {key: pixels}), run(result.graph, {key: pixels}), model.run({name: pixels}))
        )
        same += int(before.argmax() == int8.argmax())
        near += int(rounded.argmax() == int8.argmax())
    assert near >= 0.9 * len(pictures)
    assert same >= 0.7 * len(pictures)
