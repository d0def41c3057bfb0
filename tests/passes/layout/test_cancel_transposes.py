from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.passes.freezing import tf1
from tests.passes.layout.channels_first import Network, transposes, weights
from tfmobile import runtime
from tfmobile.conversion import convert
from tfmobile.graph.model import Graph
from tfmobile.passes import rewrite

BEFORE = ["strip-unused", "fold-constants"]


def to_last(x: Any) -> Any:
    return tf.transpose(x, [0, 2, 3, 1])


def to_first(x: Any) -> Any:
    return tf.transpose(x, [0, 3, 1, 2])


def layer(x: Any, channels: int, stride: int = 1) -> Any:
    """A convolution as exporters from channels-first frameworks write it."""
    padded = tf.pad(x, [[0, 0], [0, 0], [1, 1], [1, 1]])
    return to_first(tf.nn.conv2d(to_last(padded), weights(3, 3, x.shape[1], channels), stride, "VALID"))


def norm(x: Any) -> Any:
    return x * weights(1, x.shape[1], 1, 1) + weights(x.shape[1], 1, 1)


def residual(x: Any) -> Any:
    y = tf.nn.relu(norm(layer(x, 8, 2)))
    for _ in range(4):
        y = tf.nn.relu(y + norm(layer(tf.nn.relu(norm(layer(y, 8))), 8)))
    return tf.matmul(tf.reshape(tf.reduce_mean(y, [2, 3], keepdims=True), [1, 8]), weights(8, 5))


def dense_blocks(x: Any) -> Any:
    y = x
    for _ in range(3):
        y = tf.concat([y, tf.nn.relu(layer(norm(y), 4))], 1)
    first, second = tf.split(y[:, 1:], 2, axis=1)
    return to_last(tf.maximum(first, second))


def shuffle(x: Any) -> Any:
    y = layer(x, 8)
    y = tf.reshape(tf.transpose(tf.reshape(y, [1, 2, 4, 16, 16]), [0, 2, 1, 3, 4]), [1, 8, 16, 16])
    return tf.reduce_max(layer(y, 4), [2, 3])


def attention(x: Any) -> Any:
    y = to_last(layer(x, 4))
    rows = tf.reshape(y, [1, 256, 4])
    scores = tf.nn.softmax(tf.matmul(rows, tf.transpose(rows, [0, 2, 1])))
    back = tf.transpose(tf.matmul(scores, rows), [0, 2, 1])
    return layer(tf.reshape(back, [1, 4, 16, 16]), 2)


@pytest.mark.parametrize(
    ("network", "left"),
    [
        (residual, 1),  # at the input
        (dense_blocks, 1),
        (shuffle, 2),  # and between the groups
        (attention, 3),  # and inside the product, and in front of the output
    ],
)
def test_transposes_meet(network: Network, left: int) -> None:
    graph = tf1(network, [1, 3, 16, 16])
    rewritten = rewrite(graph, [*BEFORE, "cancel-transposes"], tolerance=1e-5)
    assert not [step.reason for step in rewritten.steps if step.refused]
    assert transposes(rewritten.graph) == left
    assert len([line for line in rewritten.steps[-1].skipped if line.startswith("Left")]) == left


def test_nothing_is_done_where_nothing_is_won() -> None:
    graph = tf1(lambda x: tf.nn.relu(to_last(x) + 1.0), [1, 3, 4, 4])
    (step,) = rewrite(graph, "cancel-transposes").steps
    assert not step.changed
    assert step.nodes_after == step.nodes_before


def test_tflite_has_fewer_transposes() -> None:
    graph = tf1(residual, [1, 3, 16, 16])
    before = _transposes(rewrite(graph, BEFORE).graph)
    after = _transposes(rewrite(graph, [*BEFORE, "cancel-transposes"]).graph)
    assert after <= 1
    assert after < before


def _transposes(graph: Graph) -> int:
    return sum(fact.op == "TRANSPOSE" for fact in runtime.describe(convert(graph)).ops)
