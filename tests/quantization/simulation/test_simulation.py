from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tests.quantization.simulation.networks import answers, calibrated, int8, samples, weights
from tfmobile.errors import DataError, UnsupportedError
from tfmobile.graph.model import Graph
from tfmobile.graph.run import run
from tfmobile.quantization.simulation import open_simulation

SHAPE = [1, 8, 8, 4]


def network(x: Any) -> Any:
    """Convolution, depthwise convolution, residual sum, mean, dense, softmax."""
    import tensorflow as tf

    y = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME", name="first") + weights(8), name="first_relu")
    z = tf.nn.depthwise_conv2d(y, weights(3, 3, 8, 1, seed=1), [1, 1, 1, 1], "SAME", name="second") + weights(8, seed=3)
    y = tf.nn.relu(y + z, name="sum")
    y = tf.matmul(tf.reduce_mean(y, [1, 2]), weights(8, 5, seed=2)) + weights(5, seed=4)
    return tf.nn.softmax(y, name="answer")


@functools.cache
def made() -> tuple[Graph, bytes]:
    return int8(network, SHAPE)


def test_layers_are_named_as_users_see_them_and_say_what_they_read() -> None:
    with open_simulation(*made()) as simulation:
        layers = {layer.name: layer for layer in simulation.layers}
    assert [layer.op for layer in layers.values()] == [
        *("INPUT", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED", "SOFTMAX")
    ]
    assert layers["first_relu"].node == "first"
    assert len(layers["first_relu"].weight_scales) == 8
    assert layers["sum"].inputs[0] == "first_relu"
    assert layers["answer"].scale == 1 / 256
    assert all(layer.switchable for layer in layers.values())


def test_with_no_layer_in_float_it_is_the_int8_model_with_all_it_is_the_float_one() -> None:
    graph, content = made()
    values = samples(8, SHAPE, seed=1)
    with open_simulation(graph, content) as simulation:
        names = [layer.name for layer in simulation.layers]
        whole = simulation.outputs({"x": values})["y0"]
        exact = simulation.outputs({"x": values}, floating=names)["y0"]
        floating = simulation.float_outputs({"x": values})["y0"]
    np.testing.assert_array_equal(whole, answers(content, values))
    np.testing.assert_array_equal(exact, floating)
    np.testing.assert_allclose(floating[:1], run(graph, {"x": values[:1]})["y0"], rtol=1e-5)


def test_a_layer_in_float_brings_the_answers_closer_and_its_output_is_not_rounded() -> None:
    graph, content = made()
    values = samples(8, SHAPE, seed=1)
    with open_simulation(graph, content) as simulation:
        names = [layer.name for layer in simulation.layers]
        exact = simulation.float_outputs({"x": values})["y0"]
        errors = [
            np.abs(simulation.outputs({"x": values}, floating=names[place:])["y0"] - exact).mean()
            for place in range(len(names) + 1)
        ]
        last = simulation.outputs({"x": values}, floating=["answer"])["y0"] * 256
    assert errors[0] == 0 < errors[1] < errors[-1]
    assert np.abs(last - np.rint(last)).max() > 0.01


def test_values_of_a_layer_lie_on_its_grid_on_one_path_and_on_none_on_the_other() -> None:
    with open_simulation(*made()) as simulation:
        layers = {layer.name: layer for layer in simulation.layers}
        found = simulation.values({"x": samples(4, SHAPE, seed=1)}, ["first_relu", "sum"])
    for name, (exact, rounded) in found.items():
        step = layers[name].scale
        assert exact.shape == rounded.shape == (4, 8, 8, 8)
        np.testing.assert_allclose(rounded / step, np.rint(rounded / step), atol=1e-3)
        assert 0 < np.abs(exact - rounded).mean() < step


def test_sums_before_activation_are_those_of_the_graph_but_for_rounding() -> None:
    graph, content = made()
    feeds = {"x": samples(4, SHAPE, seed=1)}
    with open_simulation(graph, content) as simulation:
        exact, rounded = simulation.pre_activations(feeds, "first_relu")
        data = simulation.layer_inputs(feeds, "first_relu")
        after = simulation.values(feeds, ["first_relu"])["first_relu"]
    assert exact.min() < 0
    np.testing.assert_array_equal(np.maximum(exact, 0), after[0])
    assert 0 < np.abs(rounded - exact).mean() < 0.02
    np.testing.assert_array_equal(data[0], feeds["x"])
    assert 0 < np.abs(data[1] - data[0]).mean() < 0.02


def test_what_is_not_a_layer_or_an_input_is_refused() -> None:
    with open_simulation(*made()) as simulation:
        with pytest.raises(UnsupportedError, match="nowhere"):
            simulation.outputs({"x": samples(1, SHAPE)}, floating=["nowhere"])
        with pytest.raises(UnsupportedError, match="sum"):
            simulation.pre_activations({"x": samples(1, SHAPE)}, "sum")
        with pytest.raises(DataError, match="y"):
            simulation.outputs({"y": samples(1, SHAPE)})


def test_a_float_model_cannot_be_simulated() -> None:
    graph = tf1(network, SHAPE)
    with pytest.raises(UnsupportedError, match="nothing to simulate"):
        open_simulation(graph, calibrated(graph, samples(4, SHAPE))[0])


def test_samples_that_are_not_independent_are_computed_one_after_the_other() -> None:
    import tensorflow as tf

    def mixing(x: Any) -> Any:
        y = tf.nn.conv2d(x, weights(3, 3, 4, 4), 1, "SAME") + weights(4)
        return tf.nn.relu(y - tf.reduce_mean(y, keepdims=True))  # also over the samples

    graph, content = int8(mixing, SHAPE)
    values = samples(4, SHAPE, seed=1)
    with open_simulation(graph, content) as simulation:
        assert not simulation.batch
        np.testing.assert_array_equal(simulation.outputs({"x": values})["y0"], answers(content, values))


def test_weights_that_the_converter_changed_are_told_from_those_of_the_graph() -> None:
    import tensorflow as tf

    def folded(x: Any) -> Any:
        return tf.nn.relu(3 * tf.nn.conv2d(x, weights(3, 3, 4, 4), 1, "SAME", name="inner") + 3 * x)

    graph, content = int8(folded, SHAPE)
    values = samples(4, SHAPE, seed=1)
    with open_simulation(graph, content) as simulation:
        layer = next(layer for layer in simulation.layers if layer.op == "CONV_2D")
        assert layer.node != "inner"
        np.testing.assert_array_equal(simulation.outputs({"x": values})["y0"], answers(content, values))
