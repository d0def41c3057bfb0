from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.quantization.simulation.networks import answers, int8, samples, weights
from tfmobile.quantization.simulation import open_simulation

Build = Callable[[Any], Any]


def tf() -> Any:
    import tensorflow

    return tensorflow


def convolution(x: Any) -> Any:
    return tf().nn.relu(tf().nn.conv2d(x, weights(3, 3, 4, 8), 2, "SAME") + weights(8))


def dilated(x: Any) -> Any:
    return tf().nn.conv2d(x, weights(3, 3, 4, 8), 1, "VALID", dilations=2)


def depthwise(x: Any) -> Any:
    return tf().nn.relu6(4 * tf().nn.depthwise_conv2d(x, weights(3, 3, 4, 2), [1, 1, 1, 1], "SAME") + weights(8))


def dense(x: Any) -> Any:
    return tf().matmul(tf().reshape(x, [1, 256]), weights(256, 10)) + weights(10)


def dense_on_rows(x: Any) -> Any:
    return tf().nn.relu(tf().matmul(tf().reshape(x, [64, 4]), weights(4, 10)) + weights(10))


def transposed(x: Any) -> Any:
    return tf().nn.conv2d_transpose(x, weights(3, 3, 6, 4), [1, 16, 16, 6], 2, "SAME")


def residual(x: Any) -> Any:
    return tf().nn.relu(tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME") + x)


def difference(x: Any) -> Any:
    return tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME") - x


def scaled(x: Any) -> Any:
    return tf().nn.relu(x) * tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME")


def added_constant(x: Any) -> Any:
    return tf().nn.relu(x + weights(1, 8, 8, 4, seed=4))


def means(x: Any) -> Any:
    return tf().reduce_mean(tf().nn.relu(x), [1, 2])


def kept_means(x: Any) -> Any:
    return tf().reduce_mean(x, [2], keepdims=True)


def average(x: Any) -> Any:
    return tf().nn.avg_pool2d(x, 3, 2, "SAME")


def largest(x: Any) -> Any:
    return tf().nn.max_pool2d(x, 3, 2, "SAME")


def joined(x: Any) -> Any:
    first = tf().nn.relu(tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME"))
    return tf().concat([first, 3 * tf().nn.conv2d(x, weights(1, 1, 4, 2), 1, "SAME")], -1)


def joined_with_input(x: Any) -> Any:
    return tf().concat([x, 3 * tf().nn.conv2d(x, weights(1, 1, 4, 2), 1, "SAME")], -1)


def padded(x: Any) -> Any:
    return tf().nn.conv2d(tf().pad(x, [[0, 0], [2, 1], [1, 0], [0, 0]]), weights(3, 3, 4, 4), 1, "VALID")


def turned(x: Any) -> Any:
    return tf().transpose(tf().reshape(x, [1, 64, 4]), [0, 2, 1])


def probabilities(x: Any) -> Any:
    return tf().nn.softmax(5 * means(x))


def logistic(x: Any) -> Any:
    return tf().sigmoid(tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME"))


def hyperbolic(x: Any) -> Any:
    return tf().tanh(tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME"))


def leaky(x: Any) -> Any:
    return tf().nn.leaky_relu(tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME"), 0.1)


def hard_swish(x: Any) -> Any:
    y = tf().nn.conv2d(x, 4 * weights(1, 1, 4, 4), 1, "SAME")
    return y * tf().nn.relu6(y + 3.0) * np.float32(1 / 6)


def split(x: Any) -> Any:
    first, second = tf().split(x, 2, -1)
    return tf().nn.conv2d(first, weights(1, 1, 2, 4), 1, "SAME") + tf().nn.conv2d(
        second, weights(1, 1, 2, 4), 1, "SAME"
    )


def enlarged(x: Any) -> Any:
    return tf().compat.v1.image.resize_bilinear(x, [16, 16], half_pixel_centers=True)


def attention(x: Any) -> Any:
    rows = tf().reshape(tf().nn.relu(tf().nn.conv2d(x, weights(3, 3, 4, 4), 1, "SAME")), [1, 64, 4])
    return tf().matmul(tf().matmul(rows, rows, transpose_b=True), rows)


def gated(x: Any) -> Any:
    y = tf().nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME")
    y = y * tf().sigmoid(y)
    gate = tf().sigmoid(tf().nn.conv2d(tf().reduce_mean(y, [1, 2], keepdims=True), weights(1, 1, 8, 8), 1, "SAME"))
    return tf().nn.conv2d(y * gate, weights(1, 1, 8, 4), 1, "SAME")


def with_sine(x: Any) -> Any:
    y = tf().sin(tf().nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME"))
    return tf().nn.conv2d(y, weights(3, 3, 8, 8, seed=1), 1, "SAME")


def standalone_relu(x: Any) -> Any:
    y = tf().nn.conv2d(x, weights(1, 1, 4, 4), 1, "SAME", name="both")
    return tf().nn.relu6(y) + y


EXACT = [
    *(convolution, dilated, depthwise, dense, dense_on_rows, transposed, residual, difference, scaled, added_constant),
    *(
        means,
        kept_means,
        average,
        largest,
        joined,
        joined_with_input,
        padded,
        turned,
        probabilities,
        logistic,
        hyperbolic,
        leaky,
    ),
    *(attention, gated, split, enlarged, with_sine, standalone_relu),
]


@pytest.mark.parametrize("build", EXACT)
def test_the_simulation_gives_the_bits_of_the_runtime(build: Build) -> None:
    graph, content = int8(build, [1, 8, 8, 4])
    values = samples(16, [1, 8, 8, 4], seed=1)
    with open_simulation(graph, content) as simulation:
        found = next(iter(simulation.outputs({"x": values}).values()))
        assert simulation.notes == ()
    np.testing.assert_array_equal(found, answers(content, values).reshape(found.shape))


def test_hard_swish_differs_in_few_values_by_one_step() -> None:
    graph, content = int8(hard_swish, [1, 8, 8, 4])
    values = samples(16, [1, 8, 8, 4], seed=1)
    with open_simulation(graph, content) as simulation:
        found = next(iter(simulation.outputs({"x": values}).values()))
        step = simulation.layers[-1].scale
    apart = np.rint((found - answers(content, values)) / step)
    assert np.abs(apart).max() <= 1
    assert np.mean(apart != 0) < 0.002


@pytest.mark.parametrize("io", ["int8", "uint8"])
@pytest.mark.parametrize("build", [convolution, residual, probabilities])
def test_integer_inputs_are_rounded_as_the_runtime_is_given_them(build: Build, io: str) -> None:
    graph, content = int8(build, [1, 8, 8, 4], io=io)
    values = samples(16, [1, 8, 8, 4], seed=1)
    with open_simulation(graph, content) as simulation:
        found = next(iter(simulation.outputs({"x": values}).values()))
    np.testing.assert_array_equal(found, answers(content, values).reshape(found.shape))


@pytest.mark.parametrize("build", [convolution, depthwise, dense, residual])
def test_weights_with_one_scale_a_tensor_are_exact_too(build: Build) -> None:
    graph, content = int8(build, [1, 8, 8, 4], name="int8-per-tensor-fast")
    values = samples(16, [1, 8, 8, 4], seed=1)
    with open_simulation(graph, content) as simulation:
        found = next(iter(simulation.outputs({"x": values}).values()))
        assert len(simulation.layers[1].weight_scales) <= 1
    np.testing.assert_array_equal(found, answers(content, values).reshape(found.shape))


def test_activations_of_16_bits_are_close_and_a_note_says_so() -> None:
    graph, content = int8(residual, [1, 8, 8, 4], name="int16x8")
    values = samples(16, [1, 8, 8, 4], seed=1)
    with open_simulation(graph, content) as simulation:
        found = next(iter(simulation.outputs({"x": values}).values()))
        step = simulation.layers[-1].scale
        assert "16 bits" in simulation.notes[0]
    assert np.abs(found - answers(content, values)).max() <= 2.5 * step
