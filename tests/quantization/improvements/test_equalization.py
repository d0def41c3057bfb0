"""Cross-layer equalization: the same function, channels of one size."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import (
    SHAPE,
    Activation,
    Given,
    const,
    draft_of,
    int8_error,
    parted,
    pictures,
    separable,
    stored,
    values,
    weights,
)
from tfmobile.artifacts import Statistics
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements.equalization import improve

SAMPLES = pictures()
OTHERS = pictures(64, seed=9)


def unevenness(graph: Graph, name: str) -> float:
    """The largest channel of depthwise weights against the usual one."""
    peaks = np.abs(stored(graph, name)).max(axis=(0, 1, 3))
    return float(peaks.max() / np.median(peaks))


@pytest.mark.parametrize("activation", ["relu", "leaky", "none"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_any_scale_is_exact_where_the_activation_is_proportional(activation: Activation, padding: str) -> None:
    graph = separable(activation, padding=padding)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert result.moves_activations
    assert parted(graph, result.graph, SAMPLES) < 1e-5
    assert parted(graph, result.graph, OTHERS) < 1e-5
    assert unevenness(graph, "dw/w") > 10
    assert unevenness(result.graph, "dw/w") < 3


def test_the_three_weights_of_a_channel_become_alike() -> None:
    result = improve(draft_of(separable("relu")), SAMPLES, silent)
    assert result.graph is not None
    conv = np.abs(stored(result.graph, "conv/w")).max(axis=(0, 1, 2))
    depthwise = np.abs(stored(result.graph, "dw/w")).max(axis=(0, 1, 3))
    np.testing.assert_allclose(conv, depthwise, rtol=1e-2)
    np.testing.assert_allclose(depthwise, np.abs(stored(result.graph, "pw/w")).max(axis=(0, 1, 3)), rtol=1e-2)


def test_relu6_that_is_not_reached_is_scaled_and_never_clipped() -> None:
    graph = separable("relu6", factor=8.0, size=0.1)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert parted(graph, result.graph, SAMPLES) < 1e-5
    assert values(result.graph, "dw/act", SAMPLES).max() < 6
    assert unevenness(result.graph, "dw/w") < unevenness(graph, "dw/w")


def test_channels_that_reach_the_6_of_relu6_stay_and_it_is_said() -> None:
    graph = separable("relu6", factor=8.0, size=2.0)
    full = values(graph, "conv/act", SAMPLES).max(axis=(0, 1, 2)) >= 6
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert 0 < full.sum() < full.size
    np.testing.assert_array_equal(stored(result.graph, "conv/w")[..., full], stored(graph, "conv/w")[..., full])
    assert parted(graph, result.graph, SAMPLES) < 1e-5
    assert any("conv/act" in one and "reach the 6 of Relu6" in one for one in result.skipped)


def test_samples_that_statistics_set_aside_do_not_count() -> None:
    graph = separable("relu6", factor=8.0, size=0.1)
    broken = Given([*(SAMPLES.feed(place) for place in range(32)), {"x": np.full(SHAPE, 1e4, np.float32)}])
    draft = draft_of(graph)
    without = dataclasses.replace(draft, statistics=Statistics({}, SAMPLES.names))
    expected, found = improve(draft, SAMPLES, silent).graph, improve(without, broken, silent).graph
    assert expected is not None
    assert found is not None
    np.testing.assert_array_equal(stored(found, "dw/w"), stored(expected, "dw/w"))


def test_nodes_and_constants_keep_their_names() -> None:
    graph = separable("relu")
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert {(node.name, node.op) for node in result.graph} == {(node.name, node.op) for node in graph}


def test_int8_with_one_scale_a_tensor_gets_usable() -> None:
    graph = separable("relu")
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert int8_error(graph, graph, SAMPLES) > 0.1
    assert int8_error(result.graph, graph, SAMPLES) < 0.01


def test_with_a_scale_for_each_channel_activations_are_made_alike() -> None:
    graph = separable("relu")
    result = improve(draft_of(graph, "channel"), SAMPLES, silent)
    assert result.graph is not None
    assert parted(graph, result.graph, OTHERS) < 1e-5
    tops = values(result.graph, "conv/act", SAMPLES).max(axis=(0, 1, 2))
    assert tops.max() / tops.min() < 1.1
    before = int8_error(graph, graph, SAMPLES, "int8-fast")
    assert int8_error(result.graph, graph, SAMPLES, "int8-fast") < before / 3


def test_layers_that_are_added_up_are_scaled_alike() -> None:
    graph = residual()
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert parted(graph, result.graph, OTHERS) < 1e-5
    assert any("first and 1 more" in one for one in result.changed)
    factors = [stored(result.graph, f"{one}/w") / stored(graph, f"{one}/w") for one in ("first", "second")]
    np.testing.assert_allclose(factors[0].max(axis=(0, 1, 2)), factors[1].max(axis=(0, 1, 2)), rtol=1e-5)


def test_what_is_not_proportional_is_left_with_the_reason() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        x = tf.nn.conv2d(x, const(weights(3, 3, 3, 8), "conv/w"), 1, "SAME", name="conv")
        x = tf.multiply(x, tf.sigmoid(x, name="gate"), name="swish")
        return tf.nn.conv2d(x, const(weights(1, 1, 8, 4), "pw/w"), 1, "SAME", name="answer")

    result = improve(draft_of(tf1(build, SHAPE)), SAMPLES, silent)
    assert result.graph is None
    assert any("conv" in one and "does not keep proportions" in one for one in result.skipped)


def test_dense_layers_read_channels_flattened_or_turned() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        kernel = weights(3, 3, 3, 8) * np.geomspace(0.1, 10, 8)
        x = tf.nn.relu(tf.nn.conv2d(x, const(kernel, "conv/w"), 2, "SAME"), name="conv/act")
        x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "SAME"), [1, 32])
        x = tf.nn.relu(tf.matmul(x, const(weights(16, 32), "dense/w"), transpose_b=True), name="dense/act")
        return tf.matmul(x, const(weights(16, 4), "last/w"), name="answer")

    graph = tf1(build, SHAPE)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert len(result.changed) == 2
    assert parted(graph, result.graph, OTHERS) < 1e-5


def test_weights_that_two_layers_share_are_copied() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        shared = const(weights(3, 3, 3, 3) * np.array([0.1, 1, 10]), "shared/w")
        x = tf.nn.relu(tf.nn.conv2d(x, shared, 1, "SAME", name="one"), name="one/act")
        return tf.nn.conv2d(x, shared, 1, "SAME", name="answer")

    graph = tf1(build, SHAPE)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert parted(graph, result.graph, OTHERS) < 1e-5
    assert any("its own copy of 'shared/w'" in one for one in result.changed)


@settings(max_examples=8, deadline=None)
@given(
    st.floats(1.0, 100.0),
    st.floats(0.05, 3.0),
    st.sampled_from(["relu", "relu6", "leaky", "none"]),
    st.sampled_from(["tensor", "channel"]),
)
def test_the_answer_on_the_samples_never_moves(
    factor: float, size: float, activation: Activation, granularity: Any
) -> None:
    graph = separable(activation, factor=factor, size=size)
    result = improve(draft_of(graph, granularity), SAMPLES, silent)
    assert result.graph is None or parted(graph, result.graph, SAMPLES) < 1e-5


def residual() -> Graph:
    """Two convolutions added up; a third one reads the sum."""
    import tensorflow as tf

    def branch(x: Any, name: str, sizes: Array, seed: int) -> Any:
        x = tf.nn.conv2d(x, const(weights(3, 3, 3, 8, seed=seed) * sizes, f"{name}/w"), 1, "SAME")
        return tf.nn.bias_add(x, const(0.1 * sizes, f"{name}/b"), name=name)

    def build(x: Any) -> Any:
        sizes = np.geomspace(0.05, 20, 8)
        total = tf.nn.relu(branch(x, "first", sizes, 1) + branch(x, "second", sizes, 2))
        return tf.nn.conv2d(total, const(weights(1, 1, 8, 4) / sizes[:, None], "pw/w"), 1, "SAME", name="answer")

    return tf1(build, SHAPE)
