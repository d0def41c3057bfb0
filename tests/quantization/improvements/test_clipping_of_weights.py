"""Outlier channels are damped where that costs less than the steps they take from the others."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import (
    SHAPE,
    const,
    draft_of,
    int8_error,
    parted,
    pictures,
    stored,
    weights,
)
from tfmobile.graph.model import Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements.weight_clipping import damping, edge_fraction, improve
from tfmobile.quantization.improvements.weighted_layers import weighted_layers

SAMPLES = pictures()


def switching(large: float = 60.0, read: float = 0.05) -> Graph:
    """Channel 3 is 0 or 6 nearly everywhere, which the next layer hardly reads: its weights could be much smaller."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        sizes, reads = np.ones(16), np.ones(16)
        sizes[3], reads[3] = large, read
        x = tf.nn.conv2d(x, const(weights(3, 3, 3, 16) * sizes, "conv/w"), 1, "SAME", name="conv")
        x = tf.nn.relu6(tf.nn.bias_add(x, const(np.full(16, 0.5), "conv/b")), name="act")
        x = tf.nn.conv2d(x, const(weights(1, 1, 16, 6, seed=1) * reads[:, None], "pw/w"), 1, "SAME", name="pw")
        return tf.nn.bias_add(x, const(np.zeros(6), "pw/b"), name="answer")

    return tf1(build, SHAPE)


def test_int8_gets_closer_for_a_small_change_of_the_float_answer() -> None:
    graph = switching()
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert result.moves_activations
    assert np.abs(stored(result.graph, "conv/w")).max() < np.abs(stored(graph, "conv/w")).max() / 5
    assert parted(graph, result.graph, pictures(seed=9)) < 0.1
    assert int8_error(result.graph, graph, SAMPLES) < int8_error(graph, graph, SAMPLES) / 5


def test_other_channels_stay_what_they_are() -> None:
    graph = switching()
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    others = np.arange(16) != 3
    np.testing.assert_array_equal(stored(result.graph, "conv/w")[..., others], stored(graph, "conv/w")[..., others])
    assert result.changed[0].startswith("Damped 1 of 16 channels of act: largest weight")


def test_even_channels_are_left() -> None:
    assert improve(draft_of(switching(large=1.0, read=1.0)), SAMPLES, silent).graph is None


def test_a_layer_that_the_recipe_keeps_in_float_keeps_its_weights() -> None:
    draft = draft_of(switching())
    kept = dataclasses.replace(draft.recipe, precision={"act": "float32"})
    result = improve(dataclasses.replace(draft, recipe=kept), SAMPLES, silent)
    assert result.graph is None
    assert any("in float" in sentence for sentence in result.skipped)


def test_with_a_scale_for_each_channel_there_is_nothing_to_do() -> None:
    result = improve(draft_of(switching(), "channel"), SAMPLES, silent)
    assert result.graph is None
    assert result.skipped


@given(st.floats(0.05, 1.0), st.floats(0.1, 50.0), st.floats(-20.0, 20.0), st.floats(0.0, 1.0))
def test_damping_never_does_worse_than_a_constant(scale: float, width: float, middle: float, edge: float) -> None:
    layer = weighted_layers(switching())[0][0]
    sums = middle + width * np.random.default_rng(0).normal(size=500)
    wanted = np.clip(sums, 0, 6)
    found = damping(layer, sums, scale, edge)
    assert found.error <= np.mean(wanted**2) + 1e-9
    got = found.gain * np.clip(scale * sums + found.shift, 0, 6) + found.offset
    assert np.mean((got - wanted) ** 2) + edge * found.offset**2 == pytest.approx(found.error, abs=1e-9)


def test_damping_by_1_changes_nothing() -> None:
    layer = weighted_layers(switching())[0][0]
    found = damping(layer, np.random.default_rng(0).normal(size=500) * 5, 1.0, 0.5)
    assert (found.gain, found.shift) == (pytest.approx(1), 0)
    assert found.error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("kernel", "extent", "expected"), [(1, 8, 0.0), (3, 8, 1 - (6 / 8) ** 2), (3, 100, 1 - (98 / 100) ** 2)]
)
def test_positions_that_read_padding(kernel: int, extent: int, expected: float) -> None:
    layer = weighted_layers(switching())[0][0]
    shape = (1, extent, extent, 8)
    assert edge_fraction(layer, np.zeros((kernel, kernel, 8, 4)), shape, shape) == pytest.approx(expected)
