from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.freezing import freeze, shake, tf1
from tests.passes.layout.channels_first import Network, encoder_decoder, first, mobile, residual, shuffled, transposes
from tfmobile import runtime
from tfmobile.conversion import convert
from tfmobile.errors import UnsupportedError
from tfmobile.graph.graphdef import to_graph_def
from tfmobile.graph.model import Array, Graph
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import make_pass, rewrite

GOLDEN = Path(__file__).parents[1] / "golden"
BEFORE = ["strip-unused", "remove-training-nodes", "fold-constants"]


@pytest.mark.parametrize(
    ("network", "left", "from_nhwc"),
    [
        (residual, 1, 0),  # at the input; the output has no channels left
        (mobile, 2, 1),  # and before the flattening
        (encoder_decoder, 2, 1),  # and in front of the output
        (shuffled, 2, 1),  # and between the groups of the shuffle
    ],
)
def test_one_transpose_stays_where_the_order_must_change(network: Network, left: int, from_nhwc: int) -> None:
    graph = tf1(network, [1, 3, 16, 16])
    for io, expected in (("keep", left), ("nhwc", from_nhwc)):
        rewritten = rewrite(graph, f"nchw-to-nhwc(io={io})", tolerance=1e-5)
        (step,) = rewritten.steps
        assert not step.refused, step.reason
        assert step.max_rel is not None, step.reason
        assert not first(rewritten.graph)
        assert transposes(rewritten.graph) == expected


def test_a_size_that_is_open_stays_open() -> None:
    graph = tf1(encoder_decoder, [None, 3, None, 16])
    rewritten = rewrite(graph, "nchw-to-nhwc(io=nhwc)", [{"x": np.ones((2, 3, 8, 16), np.float32)}], tolerance=1e-5)
    assert not rewritten.steps[0].refused, rewritten.steps[0].reason
    assert rewritten.graph.inputs[0].shape == (None, None, 16, 3)


def test_a_feed_of_before_becomes_one_of_now_and_back() -> None:
    result = make_pass("nchw-to-nhwc(io=nhwc)").apply(tf1(residual, [1, 3, 16, 16]))
    feed = np.random.default_rng(0).normal(size=(1, 3, 16, 16)).astype(np.float32)
    turned = result.feeds["x"].forward(feed)
    assert turned.shape == result.graph.inputs[0].shape == (1, 16, 16, 3)
    np.testing.assert_array_equal(result.feeds["x"].back(turned), feed)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_keras_channels_first(package: str) -> None:
    keras = pytest.importorskip(package)
    before = keras.backend.image_data_format()
    keras.backend.set_image_data_format("channels_first")
    try:
        graph = freeze(shake(_keras_model(keras)), [1, 3, 16, 16])
    finally:
        keras.backend.set_image_data_format(before)
    assert first(graph)
    rewritten = rewrite(graph, [*BEFORE, "nchw-to-nhwc", "cancel-transposes", "fold-batch-norms"], tolerance=1e-5)
    assert not [step.reason for step in rewritten.steps if step.refused]
    assert not first(rewritten.graph)
    assert transposes(rewritten.graph) == 1
    assert _ops(convert(rewritten.graph))["TRANSPOSE"] == 1


def _keras_model(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((3, 16, 16))
    y = layers.Conv2D(6, 3, 2)(layers.ZeroPadding2D(1)(x))
    y = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization(axis=1)(y)))
    y = layers.Add()([y, layers.BatchNormalization(axis=1)(layers.Conv2D(6, 3, padding="same")(y))])
    y = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3, padding="same")(y))
    return keras.Model(x, layers.Dense(5)(y))


def _ops(content: bytes) -> Counter[str]:
    return Counter(fact.op for fact in runtime.describe(content).ops)


def test_tflite_has_fewer_transposes() -> None:
    graph = tf1(residual, [1, 3, 16, 16])
    plain = rewrite(graph, [*BEFORE, "fold-batch-norms"]).graph
    turned = rewrite(graph, [*BEFORE, "nchw-to-nhwc", "fold-batch-norms"]).graph
    assert _ops(convert(turned))["TRANSPOSE"] == 1
    assert _ops(convert(plain))["TRANSPOSE"] > 1


def test_tflite_takes_a_depthwise_layer_that_was_channels_first() -> None:
    graph = rewrite(tf1(mobile, [1, 3, 16, 16]), BEFORE).graph
    with pytest.raises(UnsupportedError):
        convert(graph)
    assert _ops(convert(rewrite(graph, "nchw-to-nhwc").graph))["DEPTHWISE_CONV_2D"] == 1


@pytest.mark.parametrize("name", ["in_three_dimensions", "blocks"])
def test_layers_that_only_a_compiler_runs_channels_first(name: str) -> None:
    graph = parse_graph((GOLDEN / f"nchw-to-nhwc__{name}.txt").read_text(encoding="utf-8").partition("# after")[0])
    result = make_pass("nchw-to-nhwc").apply(graph).graph
    sizes = [size or 1 for size in graph.inputs[0].shape or ()]
    feed = np.random.default_rng(0).normal(size=sizes).astype(np.float32)
    for expected, found in zip(_compiled(graph, feed), _compiled(result, feed), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def _compiled(graph: Graph, feed: Array) -> list[Array]:
    """What XLA computes, which knows both formats."""
    definition = to_graph_def(graph)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(definition, name=""), [])
    get = wrapped.graph.get_tensor_by_name
    function = wrapped.prune(
        [get(f"{spec.ref.node}:0") for spec in graph.inputs], [get(f"{spec.ref.node}:0") for spec in graph.outputs]
    )
    return [value.numpy() for value in tf.function(lambda x: function(x), jit_compile=True)(tf.constant(feed))]


def test_an_input_that_is_an_output_too_does_not_turn() -> None:
    graph = tf1(residual, [1, 3, 16, 16])
    graph = dataclasses.replace(graph, outputs=(*graph.outputs, dataclasses.replace(graph.inputs[0], key="same")))
    result = make_pass("nchw-to-nhwc(io=nhwc)").apply(graph)
    assert not result.feeds
    assert result.graph.inputs == graph.inputs
