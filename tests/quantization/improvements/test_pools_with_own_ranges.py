"""Global average pools become means, which have an output scale of their own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import SHAPE, const, draft_of, int8_error, parted, pictures, weights
from tfmobile.conversion import convert
from tfmobile.graph.model import Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements.own_range_pools import improve
from tfmobile.runtime import describe

SAMPLES = pictures()


def pooled(window: int, stride: int = 1, padding: str = "VALID") -> Graph:
    """A convolution with few large values, and a pool."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(x, const(8 * weights(3, 3, 3, 8), "w"), 1, "SAME", name="conv") - 3, name="act")
        x = tf.nn.avg_pool2d(x, window, stride, padding, name="pool")
        return tf.nn.conv2d(x, const(weights(1, 1, 8, 4), "last/w"), 1, "SAME", name="answer")

    return tf1(build, SHAPE)


@pytest.mark.parametrize(("window", "stride", "padding"), [(8, 1, "VALID"), (8, 8, "SAME"), (16, 8, "SAME")])
def test_a_global_pool_is_a_mean(window: int, stride: int, padding: str) -> None:
    graph = pooled(window, stride, padding)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert result.graph.nodes["pool"].op == "Mean"
    assert parted(graph, result.graph, SAMPLES) < 1e-5
    assert "MEAN" in {op.op for op in describe(convert(result.graph)).ops}


def test_int8_gets_closer() -> None:
    graph = pooled(8)
    result = improve(draft_of(graph, "channel"), SAMPLES, silent)
    assert result.graph is not None
    before, after = (int8_error(one, graph, SAMPLES, "int8-fast") for one in (graph, result.graph))
    assert after < before / 4


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, "VALID"), (8, 1, "SAME")])
def test_other_pools_stay_and_it_is_said(window: int, stride: int, padding: str) -> None:
    result = improve(draft_of(pooled(window, stride, padding)), SAMPLES, silent)
    assert result.graph is None
    assert any(f"averages over {window}×{window} of 8×8" in one for one in result.skipped)
