"""Faults planted in a sound network, one at a time: each is named, in the layer where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.diagnosis.digits_network import Network, diagnosed, digits, fitted, named, network, spiky
from tfmobile.diagnosis import Explanation

CLEAR = 0.25
"""Severity above which a finding says that something is wrong; nothing reaches it in a sound network."""
SEEN = 0.08
"""Severity of a cause that is there, beside worse ones that follow from it."""


def layer(found: Explanation, op: str) -> str:
    return next(one.name for one in found.layers if one.op == op)


def same_answers(one: Network, other: Network) -> None:
    """The fault is invisible in float."""
    x, _ = digits()
    np.testing.assert_allclose(np.asarray(one(x[:32])), np.asarray(other(x[:32])), atol=2e-3)


def scaled_stem(factors: Any) -> Network:
    """The stem's channels times ``factors``, and the depthwise layer's weights divided by them."""
    sound = network()
    w, by = sound.weights, np.asarray(factors, np.float32)
    return sound.with_weights(
        stem=w["stem"] * by, stem_bias=w["stem_bias"] * by, depthwise=w["depthwise"] / by[:, np.newaxis]
    )


@pytest.mark.parametrize("recipe_name", ["int8", "int8-per-tensor"])
def test_nothing_is_wrong_with_a_sound_network(recipe_name: str) -> None:
    found = diagnosed(network(), recipe_name=recipe_name)
    assert all(finding.severity < CLEAR for finding in found.findings)
    assert not found.notes


def test_a_channel_scaled_by_100_and_back_is_an_outlier() -> None:
    faulty = scaled_stem([1, 1, 1, 100, 1, 1, 1, 1])
    same_answers(network(), faulty)
    found = diagnosed(faulty)
    finding = named(found, "outlier-channel")
    assert finding.where.startswith(layer(found, "CONV_2D"))
    assert finding.severity > CLEAR
    assert "Channel 3 of 8" in finding.what


def test_depthwise_channels_of_unlike_weights_are_imbalanced_where_they_share_one_scale() -> None:
    sound, by = network(), np.array([1, 0.02, 4, 0.02, 1, 0.01, 0.03, 0.02], np.float32)
    w = sound.weights
    faulty = sound.with_weights(
        depthwise=w["depthwise"] * by[:, np.newaxis],
        depthwise_bias=w["depthwise_bias"] * by,
        pointwise=w["pointwise"] / by[:, np.newaxis],
    )
    same_answers(sound, faulty)
    found = diagnosed(faulty, recipe_name="int8-per-tensor")
    finding = named(found, "channel-imbalance")
    assert layer(found, "DEPTHWISE_CONV_2D") in finding.where
    assert finding.severity > CLEAR


@pytest.mark.slow
def test_dead_channels_with_huge_weights_take_the_scale_of_the_others() -> None:
    w = network().weights
    stem, bias = w["stem"].copy(), w["stem_bias"].copy()
    stem[..., 2] *= 80
    bias[2] = -1e4
    faulty = fitted(network().with_weights(stem=stem, stem_bias=bias))
    found = diagnosed(faulty, recipe_name="int8-per-tensor")
    finding = named(found, "dead-channels")
    assert finding.where == layer(found, "CONV_2D")
    assert finding.severity > CLEAR
    assert "1 of 8 channels" in finding.what


def test_a_range_set_too_narrow_is_clipped() -> None:
    def narrow(ranges: dict[str, tuple[float, float]]) -> None:
        key = next(key for key in ranges if key.startswith("Relu_1"))
        ranges[key] = (0.0, ranges[key][1] / 8)

    found = diagnosed(network(), change_ranges=narrow)
    finding = named(found, "clipped-range")
    assert finding.where.startswith("Relu_1")
    assert finding.severity > CLEAR


@pytest.mark.slow
def test_a_grid_far_wider_than_all_values_is_unused() -> None:
    def wide(ranges: dict[str, tuple[float, float]]) -> None:
        key = next(key for key in ranges if key.startswith("Relu_1"))
        ranges[key] = (0.0, ranges[key][1] * 60)

    found = diagnosed(network(), change_ranges=wide)
    finding = named(found, "unused-range")
    assert finding.where.startswith("Relu_1")
    assert finding.severity > CLEAR


@pytest.mark.slow
def test_rare_values_stretch_the_range_of_all_others() -> None:
    found = diagnosed(spiky(network(), "after_stem"))
    finding = named(found, "stretched-range")
    assert finding.severity > SEEN


def test_tensors_of_unlike_ranges_do_not_fit_into_one_concat() -> None:
    import tensorflow as tf

    def join(x: Any) -> Any:
        first, second = tf.split(x, 2, axis=3)
        both = tf.concat([first * np.float32(0.005), second * np.float32(2)], 3, name="joined")
        return both

    w = network().weights
    by = np.repeat(np.array([0.005, 2], np.float32), 4)
    faulty = Network({**w, "depthwise": w["depthwise"] / by[:, np.newaxis]}, parts={"after_stem": join})
    same_answers(network(), faulty)
    found = diagnosed(faulty)
    finding = named(found, "unlike-ranges-joined")
    assert finding.where.startswith("joined")
    assert finding.severity > CLEAR


@pytest.mark.slow
def test_a_small_summand_is_lost_in_a_large_one() -> None:
    def add(x: Any) -> Any:
        # What is added is large and nearly the same in all pictures.
        import tensorflow as tf

        return tf.nn.relu(x * np.float32(0.005) + tf.reduce_max(x, axis=[1, 2], keepdims=True) * np.float32(3))

    found = diagnosed(fitted(Network(network().weights, parts={"after_pointwise": add})))
    finding = named(found, "unlike-ranges-added")
    assert finding.severity > SEEN


@pytest.mark.slow
def test_a_swish_with_a_long_tail_has_no_steps_left_for_its_curve() -> None:
    sound = network("swish")
    curved = sound.with_weights(stem_bias=sound.weights["stem_bias"] - np.float32(1.5))
    finding = named(diagnosed(spiky(curved, "stem_sums")), "swish-tail")
    assert finding.severity > CLEAR


@pytest.mark.slow
def test_a_bias_far_larger_than_the_weights_overflows() -> None:
    w = network().weights
    bias = w["pointwise_bias"].copy()
    bias[3] = 300
    faulty = fitted(network().with_weights(pointwise=w["pointwise"] * np.float32(0.001), pointwise_bias=bias))
    found = diagnosed(faulty)
    finding = named(found, "bias-overflow")
    assert "channel 3" in finding.what
    assert finding.severity > SEEN


@pytest.mark.slow
def test_values_that_vary_little_around_an_offset_have_few_steps() -> None:
    w = network().weights
    faulty = fitted(
        network().with_weights(pointwise=w["pointwise"] * np.float32(0.1), pointwise_bias=w["pointwise_bias"] + 20)
    )
    found = diagnosed(faulty)
    finding = named(found, "large-offset")
    assert finding.where.startswith("Relu_2")
    assert finding.severity > CLEAR


@pytest.mark.slow
def test_averages_that_must_use_the_scale_of_what_they_average() -> None:
    found = diagnosed(network(pool=True, channels=16))
    finding = named(found, "pool-shares-scale")
    assert finding.where == layer(found, "AVERAGE_POOL_2D")


@pytest.mark.slow
def test_a_softmax_of_logits_with_a_wide_range_has_coarse_odds() -> None:
    sound = network()
    bias = sound.weights["dense_bias"].copy()
    bias[9] -= 600
    found = diagnosed(sound.with_weights(dense_bias=bias))
    finding = named(found, "wide-logits")
    assert finding.where == layer(found, "SOFTMAX")
    assert finding.severity > CLEAR


def test_without_the_graph_the_layer_that_adds_most_noise_is_named() -> None:
    found = diagnosed(scaled_stem([1, 1, 1, 100, 1, 1, 1, 1]), simulated=False)
    assert found.effect_samples == 0
    assert "without a TensorFlow graph" in found.notes[0]
    assert named(found, "outlier-channel").severity > CLEAR
