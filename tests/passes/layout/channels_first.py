"""Small networks that work channels first, and what to count in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmobile.graph.model import Graph

_GENERATOR = np.random.default_rng(0)
Network = Callable[[Any], Any]


def weights(*shape: int) -> Any:
    return tf.constant(_GENERATOR.normal(0, 0.3, shape).astype(np.float32))


def conv(x: Any, channels: int, size: int = 3, stride: int = 1, padding: str = "SAME", dilation: int = 1) -> Any:
    kernel = weights(size, size, x.shape[1], channels)
    strides, dilations = [1, 1, stride, stride], [1, 1, dilation, dilation]
    return tf.nn.conv2d(x, kernel, strides, padding, data_format="NCHW", dilations=dilations)


def depthwise(x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, weights(3, 3, x.shape[1], 1), [1, 1, 1, 1], "SAME", data_format="NCHW")


def bias(x: Any) -> Any:
    return tf.nn.bias_add(x, weights(x.shape[1]), data_format="NCHW")


def norm(x: Any) -> Any:
    count = x.shape[1]
    scale, offset, mean, variance = weights(count), weights(count), weights(count), tf.abs(weights(count)) + 0.5
    fused = tf.compat.v1.nn.fused_batch_norm(x, scale, offset, mean, variance, is_training=False, data_format="NCHW")
    return fused[0]


def residual(x: Any) -> Any:
    y = tf.nn.relu(norm(conv((x - 0.5) * 2.0, 8, 3, 2)))
    y = tf.nn.max_pool2d(y, 3, 2, "SAME", data_format="NCHW")
    for _ in range(3):
        y = tf.nn.relu(y + norm(conv(tf.nn.relu(norm(conv(y, 8))), 8)))
    return tf.nn.softmax(tf.matmul(tf.reduce_mean(y, [2, 3]), weights(8, 5)))


def mobile(x: Any) -> Any:
    y = tf.nn.relu6(bias(conv(tf.pad(x, [[0, 0], [0, 0], [0, 1], [0, 1]]), 8, 3, 2, "VALID")))
    y = tf.nn.relu6(norm(depthwise(y)))
    gate = tf.sigmoid(bias(conv(tf.reduce_mean(y, [2, 3], keepdims=True), 8, 1)))
    y = tf.nn.leaky_relu(conv(y * gate, 4, 1)) * weights(4, 1, 1) + weights(1, 4, 1, 1)
    y = tf.nn.avg_pool2d(y, 2, 2, "VALID", data_format="NCHW")
    flat = tf.reshape(y, [1, -1])
    return tf.matmul(flat, weights(flat.shape[1], 5))


def encoder_decoder(x: Any) -> Any:
    down = tf.nn.elu(bias(conv(x, 4, 3, 2)))
    low = tf.concat([conv(down, 2, 3, dilation=2), depthwise(down)], 1)
    left, right = tf.split(tf.nn.relu(low), 2, axis=1)
    size = tf.shape(x)
    shape = tf.stack([size[0], 3, size[2], size[3]])
    up = tf.nn.conv2d_transpose(left * right, weights(2, 2, 3, 3), shape, [1, 1, 2, 2], data_format="NCHW")
    return tf.tanh(up) + x[:, ::-1]


def shuffled(x: Any) -> Any:
    y = conv(x, 8)
    y = tf.reshape(tf.transpose(tf.reshape(y, [1, 2, 4, 16, 16]), [0, 2, 1, 3, 4]), [1, 8, 16, 16])
    large = tf.image.resize(tf.transpose(conv(y, 3), [0, 2, 3, 1]), [32, 32])
    return tf.argmax(norm(tf.transpose(large, [0, 3, 1, 2])), 1)


def transposes(graph: Graph) -> int:
    return sum(node.op == "Transpose" for node in graph)


def first(graph: Graph) -> Sequence[str]:
    """The nodes that are channels first."""
    return [node.name for node in graph if str(node.attrs.get("data_format", "")).startswith("b'NC")]
