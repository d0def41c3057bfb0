"""What the fixtures build their files from."""

from __future__ import annotations

from typing import Any


def small_graph(tf: Any) -> Any:
    """The GraphDef of ``frozen_pb``."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        check = v1.Assert(tf.reduce_all(tf.math.is_finite(x)), ["not finite"], name="check")
        with tf.control_dependencies([check]):
            hidden = tf.nn.relu(tf.matmul(x, tf.reshape(tf.range(12.0), [4, 3])), name="hidden")
        y = tf.nn.softmax(hidden * 0.1 + [0.0, 1.0, 2.0], name="y")
        v1.summary.histogram("answers", y)
    return graph.as_graph_def()


def make_module(tf: Any) -> Any:
    """A tf.Module of one dense layer and one plain function."""

    class Dense(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="w")
            self.b = tf.Variable([0.5, -0.5], name="b")

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def dense(self, x: Any) -> Any:
            return {"y": tf.matmul(x, self.w) + self.b}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="v")])
        def scale(self, v: Any) -> Any:
            return {"doubled": v * 2.0 * self.b[0]}

    return Dense()


def signatures(module: Any) -> dict[str, Any]:
    """The signatures of ``saved_model``."""
    return {"serving_default": module.dense.get_concrete_function(), "scale": module.scale.get_concrete_function()}


def image_model(keras: Any, *, shape: tuple[int | None, ...] = (8, 8, 3)) -> Any:
    """Conv, batch norm, depthwise, dropout, dense: the layers of a small MobileNet."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = inputs = layers.Input(shape, name="picture")
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="scores")(x))
