"""Small float .tflite files with one signature, built in the test process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer


def convert(function: Callable[[Any], Any], shape: list[int], dtype: str = "float32") -> bytes:
    """The float .tflite of ``function``, its input called ``x`` and its output ``y`` in ``serving_default``."""
    import tensorflow as tf

    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, dtype, name="x"))
    model = flatbuffer.read(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())
    main = model.subgraphs[0]
    flatbuffer.set_signature(model, {"x": int(main.inputs[0])}, {"y": int(main.outputs[0])})
    return flatbuffer.write(model)


def weights(*shape: int, seed: int = 0) -> Array:
    """Normal weights whose channels (last axis) differ in size by up to 100."""
    generator = np.random.default_rng(seed)
    spread = 10 ** generator.uniform(-1, 1, shape[-1])
    return (generator.normal(size=shape) * spread / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


@functools.cache
def network() -> bytes:
    """Convolution, depthwise convolution, mean, dense, softmax on [1, 12, 12, 3]."""
    import tensorflow as tf

    def function(x: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 16), 1, "SAME"))
        x = tf.nn.relu6(tf.nn.depthwise_conv2d(x, weights(3, 3, 16, 1, seed=1), [1, 1, 1, 1], "SAME"))
        x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 16, 32, seed=2), 2, "SAME"))
        return tf.nn.softmax(tf.matmul(tf.reduce_mean(x, [1, 2]), weights(32, 40, seed=3)))

    return convert(function, [1, 12, 12, 3])


@functools.cache
def with_sine() -> bytes:
    """A sine, which has no integer kernel, between two convolutions."""
    import tensorflow as tf

    def function(x: Any) -> Any:
        x = tf.sin(tf.nn.conv2d(x, weights(3, 3, 3, 8), 1, "SAME"))
        return tf.nn.conv2d(x, weights(3, 3, 8, 8, seed=1), 1, "SAME")

    return convert(function, [1, 6, 6, 3])


@functools.cache
def with_ids() -> bytes:
    """An embedding of integer ids [1, 6], averaged, then dense."""
    import tensorflow as tf

    def function(x: Any) -> Any:
        vectors = tf.gather(tf.constant(weights(50, 32)), x)
        return tf.matmul(tf.reduce_mean(vectors, 1), weights(32, 40, seed=1))

    return convert(function, [1, 6], "int32")


@functools.cache
def with_loop() -> bytes:
    """A convolution applied three times by a while loop, growing the values each time."""
    import tensorflow as tf

    def function(x: Any) -> Any:
        def body(step: Any, value: Any) -> Any:
            return step + 1, 2.0 * value + 1.0

        x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 8), 1, "SAME"))
        return tf.while_loop(lambda step, value: step < 3, body, [0, x])[1]

    return convert(function, [1, 6, 6, 3])


def samples(count: int, shape: tuple[int, ...] = (1, 12, 12, 3), seed: int = 0) -> list[tuple[str, dict[str, Array]]]:
    """``count`` named samples whose ranges differ."""
    generator = np.random.default_rng(seed)
    return [
        (f"sample-{number}", {"x": generator.normal(0, 1 + number, shape).astype(np.float32)})
        for number in range(count)
    ]
