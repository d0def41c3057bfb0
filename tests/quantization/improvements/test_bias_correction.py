from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tests.quantization.improvements.biased_networks import SHAPE, Given, draft, given, network, requantized, rounded_up
from tests.quantization.simulation.networks import answers
from tfmobile.conversion import convert
from tfmobile.graph.graphdef import serialize
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements import analytic_bias, bias_correction
from tfmobile.quantization.improvements.bias_changes import BiasChanges
from tfmobile.quantization.improvements.draft import Draft, Improved
from tfmobile.quantization.tensor_keys import translation

IMPROVERS = [bias_correction.improve, analytic_bias.improve]


def shift(before: Draft, found: Improved | None = None) -> Array:
    """By how much the mean of each output differs from the float model's, on other samples, in its own spread."""
    values = given(40, seed=7).values
    content = before.quantized
    if found is not None:
        assert found.graph is not None
        floating = convert(found.graph)
        keys = translation(before.floating, floating)
        assert keys is not None
        content = requantized(floating, {keys[key]: value for key, value in before.ranges.items()})
    exact, rounded = answers(before.floating, values), answers(content, values)
    return np.abs(rounded.mean(axis=0) - exact.mean(axis=0)) / exact.std(axis=0)


@pytest.mark.parametrize("improve", IMPROVERS)
def test_a_shift_of_the_means_is_taken_away(improve: Any) -> None:
    before = draft(tf1(network, SHAPE), given())
    found = improve(before, given(), silent)
    assert shift(before).max() > 0.3
    assert shift(before, found).max() < 0.3 * shift(before).max()
    assert not found.moves_activations
    assert "4 layers" in found.changed[0]


@pytest.mark.parametrize("improve", IMPROVERS)
def test_nothing_but_biases_is_changed_and_they_keep_their_names(improve: Any) -> None:
    graph = tf1(network, SHAPE)
    found = improve(draft(graph, given()), given(), silent)
    assert found.graph is not None
    changed = [node for node in found.graph if serialize_one(node) != serialize_one(graph.nodes[node.name])]
    assert found.graph.nodes.keys() == graph.nodes.keys()
    assert [node.value.ndim for node in changed if node.value is not None] == [1, 1, 1, 1]


def serialize_one(node: Any) -> bytes:
    return serialize(Graph({node.name: node}, (), ()))


def test_a_few_broken_samples_change_little() -> None:
    before = draft(tf1(network, SHAPE), given())
    values = given(200).values.copy()
    values[[3, 60]] *= 1000
    values[120] = 50
    broken = dataclasses.replace(before.statistics, samples=())  # as if none had been set aside
    found = bias_correction.improve(dataclasses.replace(before, statistics=broken), Given(values), silent)
    assert shift(before, found).max() < 0.3 * shift(before).max()


def test_samples_that_were_set_aside_are_not_used() -> None:
    before = draft(tf1(network, SHAPE), given(40))
    kept = dataclasses.replace(before.statistics, samples=tuple(f"sample {place}" for place in range(20)))
    fewer = dataclasses.replace(before, statistics=kept)
    found = bias_correction.improve(fewer, given(40), silent)
    first = bias_correction.improve(before, Given(given(40).values[:20]), silent)
    assert found.graph is not None
    assert first.graph is not None
    assert serialize(found.graph) == serialize(first.graph)


def test_a_layer_without_a_bias_gets_one_under_the_names_that_there_were() -> None:
    import tensorflow as tf

    def bare(x: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(tf.nn.relu(x), rounded_up(3, 3, 4, 8), 1, "VALID", name="first"), name="a")
        return tf.matmul(tf.reduce_mean(x, [1, 2]), rounded_up(8, 5, seed=3), name="last")

    graph = tf1(bare, SHAPE)
    before = draft(graph, given())
    found = bias_correction.improve(before, given(), silent)
    assert found.graph is not None
    assert [spec.ref for spec in found.graph.outputs] == [spec.ref for spec in graph.outputs]
    assert found.graph.nodes["last"].op == "BiasAdd"
    assert "2 had none and got one: first, last" in found.changed[1]
    assert shift(before, found).max() < 0.3 * shift(before).max()


def test_a_bias_that_layers_share_is_copied_for_each() -> None:
    import tensorflow as tf

    def shared(x: Any) -> Any:
        bias = tf.constant(np.linspace(0.1, 0.2, 8), tf.float32, name="shared_bias")
        x = tf.nn.relu(x)
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, rounded_up(3, 3, 4, 8), 1, "VALID"), bias), name="a")
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, rounded_up(1, 1, 8, 8, seed=1), 1, "VALID"), bias), name="b")
        return tf.reduce_mean(x, [1, 2])

    before = draft(tf1(shared, SHAPE), given())
    found = bias_correction.improve(before, given(), silent)
    assert any("shared_bias" in sentence for sentence in found.changed[1:])
    assert shift(before, found).max() < 0.3 * shift(before).max()


def test_a_bias_that_would_not_fit_or_is_not_finite_is_left_alone() -> None:
    changes = BiasChanges(tf1(network, SHAPE))
    changes.subtract("first", np.full(8, 1e6), np.full(8, 1e-6))
    changes.subtract("second", np.full(8, np.nan), np.full(8, 1e-3))
    changes.skip("third", "it is a test")
    found = changes.finish()
    assert found.graph is None
    assert [sentence.rpartition(": ")[2] for sentence in found.skipped] == [
        "the new one would not fit into 32 bits.",
        "its correction is not finite.",
        "it is a test.",
        "the quantized model does not compute it as one integer layer.",
    ]


def test_without_means_of_channels_the_analytic_form_leaves_layers_alone() -> None:
    before = draft(tf1(network, SHAPE), given())
    blind = {key: dataclasses.replace(one, channel_means=None) for key, one in before.statistics.tensors.items()}
    statistics = dataclasses.replace(before.statistics, tensors=blind)
    found = analytic_bias.improve(dataclasses.replace(before, statistics=statistics), given(), silent)
    assert found.graph is None
    assert len(found.skipped) == 4
    assert "not known" in found.skipped[0]
