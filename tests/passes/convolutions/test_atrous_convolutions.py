"""Convolutions between SpaceToBatchND and BatchToSpaceND become one, for any blocks, paddings and crops."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.passes.freezing import tf1
from tfmobile.graph.model import Graph
from tfmobile.passes import rewrite

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def _left(graph: Graph, call: str) -> Counter[str]:
    result = rewrite(graph, call, tolerance=1e-5)
    for step in result.steps:
        assert not step.refused, (step.reason, step.first_difference)
        assert step.max_rel is not None
    return Counter(node.op for node in result.graph)


@SETTINGS
@given(
    size=st.integers(4, 7),
    kernel=st.integers(1, 3),
    block=st.integers(1, 3),
    before=st.integers(0, 4),
    crop=st.integers(0, 3),
    crop_end=st.integers(0, 2),
    same=st.booleans(),
    deep=st.booleans(),
    zeros=st.booleans(),
    bias=st.booleans(),
)
def test_any_blocks_paddings_and_crops(
    size: int,
    kernel: int,
    block: int,
    before: int,
    crop: int,
    crop_end: int,
    same: bool,
    deep: bool,
    zeros: bool,
    bias: bool,
) -> None:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(kernel, 2, 2, 2)).astype("float32")
    after = -(size + before) % block
    inner = (size + before + after) // block - (0 if same else kernel - 1)
    if inner < 1 or inner * block <= crop + crop_end:
        return

    def build(x: Any) -> Any:
        apart = tf.raw_ops.SpaceToBatchND(input=x, block_shape=[block, 2], paddings=[[before, after], [1, 0]])
        convolve = tf.nn.depthwise_conv2d if deep else tf.nn.conv2d
        y = convolve(apart, w, [1, 1, 1, 1], "SAME" if same else "VALID")
        y = tf.nn.relu(tf.nn.bias_add(y, np.arange(y.shape[-1], dtype="float32"))) if bias else y
        return tf.raw_ops.BatchToSpaceND(input=y, block_shape=[block, 2], crops=[[crop, crop_end], [0, 0]], name="y")

    left = _left(tf1(build, (2, size, 5, 2)), f"flatten-atrous-conv(zeros={str(zeros).lower()})")
    own = block * ((kernel - 1) // 2), block * (kernel - 1 - (kernel - 1) // 2)
    room = (before + own[0], after + own[1]) if same else (before, after)
    possible = crop <= room[0] and crop_end <= room[1] and (zeros or not deep)
    assert left["SpaceToBatchND"] == left["BatchToSpaceND"] == (0 if possible else 1)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("rate", [2, 3])
def test_what_tensorflow_makes_of_dilations(padding: str, rate: int) -> None:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype("float32")

    def build(x: Any) -> Any:
        y = tf.nn.with_space_to_batch(
            x, [rate, rate], padding, lambda inner, _, __: tf.nn.conv2d(inner, w, 1, "VALID"), filter_shape=(3, 3)
        )
        return tf.nn.bias_add(y, [1.0, 2.0, 3.0, 4.0], name="y")

    left = _left(tf1(build, (1, 11, 10, 2)), "flatten-atrous-conv")
    assert left == Counter({"Const": 2, "Placeholder": 1, "Conv2D": 1, "BiasAdd": 1})


def test_a_batch_norm_in_between_stays_with_the_one_convolution() -> None:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(3, 3, 2, 2)).astype("float32")

    def build(x: Any) -> Any:
        apart = tf.raw_ops.SpaceToBatchND(input=x, block_shape=[2, 2], paddings=[[2, 2], [2, 2]])
        y = tf.nn.conv2d(apart, w, 1, "VALID") * np.array([2.0, 3.0], "float32")
        values = [np.array([1.0, 2.0], "float32")] * 4
        y = tf.nn.relu6(tf.compat.v1.nn.fused_batch_norm(y, *values, is_training=False)[0])
        return tf.raw_ops.BatchToSpaceND(input=y, block_shape=[2, 2], crops=[[0, 0], [0, 0]], name="y")

    result = rewrite(tf1(build, (1, 8, 8, 2)), "flatten-atrous-conv fold-batch-norms", tolerance=1e-5)
    assert not any(step.refused for step in result.steps)
    assert Counter(node.op for node in result.graph) == Counter(
        {"Const": 2, "Placeholder": 1, "Conv2D": 1, "BiasAdd": 1, "Relu6": 1}
    )
