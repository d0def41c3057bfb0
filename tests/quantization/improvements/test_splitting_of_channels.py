"""An outlier channel becomes several smaller ones that add up to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import (
    SHAPE,
    Activation,
    activations,
    const,
    draft_of,
    int8_error,
    parted,
    pictures,
    separable,
    stored,
    weights,
)
from tfmobile.graph.model import Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements.channel_splitting import GROWTH, MOST_COPIES, OUTLIER, improve, split_plan

SAMPLES = pictures()


def outlier(activation: Activation = "relu", *, turned: bool = False) -> Graph:
    """Channel 3 of 24 is large on both sides, so that equalization cannot help."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        sizes = np.ones(24)
        sizes[3] = 6
        x = tf.nn.conv2d(x, const(weights(3, 3, 3, 24) * sizes, "conv/w"), 1, "SAME", name="conv")
        x = activations()[activation](tf.nn.bias_add(x, const(0.2 * sizes, "conv/b")), name="act")
        x = tf.reduce_mean(x, [1, 2])
        kernel = weights(24, 6, seed=1)
        return tf.matmul(x, const(kernel.T if turned else kernel, "dense/w"), transpose_b=turned, name="answer")

    return tf1(build, SHAPE)


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
@pytest.mark.parametrize("turned", [False, True])
def test_the_parts_add_up(granularity: Any, turned: bool) -> None:
    graph = outlier(turned=turned)
    result = improve(draft_of(graph, granularity), SAMPLES, silent)
    assert result.graph is not None
    assert stored(result.graph, "conv/w").shape[-1] == 25
    assert parted(graph, result.graph, pictures(64, seed=9)) < 1e-5
    assert result.changed == ("Split 1 of 24 channels of act.",)


def test_it_pays_where_a_channel_is_large() -> None:
    graph = outlier()
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert int8_error(result.graph, graph, SAMPLES) < int8_error(graph, graph, SAMPLES) / 1.5


def test_a_channel_that_relu6_clips_is_left() -> None:
    assert improve(draft_of(outlier("relu6")), SAMPLES, silent).graph is None


def test_depthwise_layers_are_left_with_the_reason() -> None:
    result = improve(draft_of(separable("relu", factor=1.0)), SAMPLES, silent)
    assert any("a depthwise layer needs" in one for one in result.skipped)


@given(st.lists(st.floats(0.0, 100.0), min_size=2, max_size=64))
def test_plans_stay_within_their_limits(sizes: list[float]) -> None:
    given_sizes = np.array(sizes)
    usual = float(np.median(given_sizes))
    copies = split_plan(given_sizes, usual)
    assert copies.min() == 1 or len(sizes) == 1 or np.all(given_sizes / OUTLIER > usual)
    assert copies.max() <= MOST_COPIES
    assert copies.sum() - len(sizes) <= max(1, GROWTH * len(sizes))
    assert np.all(given_sizes[copies > 1] > OUTLIER * usual)
