"""Channels that never change lose their weights, which take the steps from the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import (
    SHAPE,
    const,
    draft_of,
    int8_error,
    parted,
    pictures,
    stored,
    values,
    weights,
)
from tfmobile.graph.model import Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements.dead_channels import improve

SAMPLES = pictures()
OTHERS = pictures(64, seed=9)


def network(bias: float = -400.0, large: float = 20.0) -> Graph:
    """Channel 2 has large weights and ``bias``; the depthwise layer reads it with large weights, too."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        factors, biases = np.ones(8), np.full(8, 0.3)
        factors[2], biases[2] = large, bias
        x = tf.nn.conv2d(x, const(weights(3, 3, 3, 8) * factors, "conv/w"), 1, "SAME", name="conv")
        x = tf.nn.relu6(tf.nn.bias_add(x, const(biases, "conv/b")), name="conv/act")
        kernel = weights(3, 3, 8, 1) * factors[:, None]
        x = tf.nn.depthwise_conv2d(x, const(kernel, "dw/w"), [1, 1, 1, 1], "SAME", name="dw")
        x = tf.nn.relu6(tf.nn.bias_add(x, const(np.full(8, 0.5), "dw/b")), name="dw/act")
        x = tf.nn.conv2d(x, const(weights(1, 1, 8, 4, seed=4), "pw/w"), 1, "VALID", name="pw")
        return tf.nn.bias_add(x, const(np.zeros(4), "pw/b"), name="answer")

    return tf1(build, SHAPE)


def test_a_channel_that_is_always_0_is_cleared_and_what_reads_only_it() -> None:
    graph = network()
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert not result.moves_activations
    assert not np.any(stored(result.graph, "conv/w")[..., 2])
    assert not np.any(stored(result.graph, "dw/w")[:, :, 2])
    assert parted(graph, result.graph, SAMPLES) < 1e-5
    assert parted(graph, result.graph, OTHERS) < 1e-5
    assert any("Cleared 1 of 8 channels of conv/act" in one and "largest weight" in one for one in result.changed)
    assert result.facts["cleared"] == 2


def test_a_channel_that_is_always_6_keeps_giving_6() -> None:
    graph = network(bias=400.0)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert not np.any(stored(result.graph, "conv/w")[..., 2])
    assert parted(graph, result.graph, OTHERS) < 1e-5


def test_int8_with_one_scale_a_tensor_gets_closer() -> None:
    graph = network(large=100.0, bias=-2000.0)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert int8_error(result.graph, graph, SAMPLES) < int8_error(graph, graph, SAMPLES) / 10


def test_a_channel_that_nothing_reads_is_cleared() -> None:
    graph = network(bias=0.0)
    value = stored(graph, "pw/w").copy()
    value[:, :, 2] = 0
    node = graph.nodes["pw/w"]
    unread = {**graph.nodes, "pw/w": type(node)(node.name, node.op, attrs={**node.attrs, "value": value})}
    graph = type(graph)(unread, graph.inputs, graph.outputs)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert not np.any(stored(result.graph, "dw/w")[:, :, 2])
    assert not np.any(stored(result.graph, "conv/w")[..., 2])
    assert parted(graph, result.graph, OTHERS) < 1e-5


def test_one_that_nearly_fires_is_kept_and_it_is_said() -> None:
    top = float(values(network(bias=0.0), "conv", SAMPLES)[..., 2].max())
    graph = network(bias=-1.05 * top)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is None
    assert any("Kept 1 channels of conv/act" in one for one in result.skipped)
    assert any("Kept 1 channels of dw/act" in one for one in result.skipped), "it is constant because it reads that one"


@pytest.mark.parametrize(("granularity", "count"), [("channel", 32), ("tensor", 8)])
def test_nothing_is_done_without_need_or_with_few_samples(granularity: Any, count: int) -> None:
    result = improve(draft_of(network(), granularity), pictures(count), silent)
    assert result.graph is None
    assert result.skipped
