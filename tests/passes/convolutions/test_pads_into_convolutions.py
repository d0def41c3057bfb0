"""Paddings go into convolutions where SAME adds the same, for any size, stride, kernel and dilation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.passes.freezing import freeze, tf1
from tfmobile.graph.model import Graph
from tfmobile.passes import rewrite
from tfmobile.passes.convolutions.windows import same_pads

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def _left(graph: Graph, call: str) -> Counter[str]:
    (step,) = (result := rewrite(graph, call, tolerance=1e-5)).steps
    assert not step.refused, (step.reason, step.first_difference)
    assert step.max_rel is not None
    return Counter(node.op for node in result.graph)


def _padded(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], *, deep: bool) -> Graph:
    import tensorflow as tf

    w = np.random.default_rng(0).normal(size=(kernel, 1, 2, 3)).astype("float32")

    def build(x: Any) -> Any:
        padded = tf.pad(x, [(0, 0), pads, (0, 0), (0, 0)])
        if deep:
            return tf.nn.depthwise_conv2d(padded, w, [1, stride, stride, 1], "VALID", name="y")
        return tf.nn.conv2d(padded, w, [1, stride, stride, 1], "VALID", dilations=[1, dilation, 1, 1], name="y")

    return tf1(build, (1, size, 2, 2))


@SETTINGS
@given(
    size=st.integers(5, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    deep=st.booleans(),
    explicit=st.booleans(),
)
def test_any_padding_keeps_the_answer(
    size: int, kernel: int, stride: int, dilation: int, before: int, after: int, deep: bool, explicit: bool
) -> None:
    dilation = 1 if deep else dilation
    span = (kernel - 1) * dilation + 1
    if size + before + after < span:
        return
    graph = _padded(size, kernel, stride, dilation, (before, after), deep=deep)
    left = _left(graph, f"fold-pads(explicit={str(explicit).lower()})")
    outputs = (size + before + after - span) // stride + 1
    is_same = outputs == -(-size // stride) and same_pads(size, kernel, stride, dilation) == (
        before,
        max((outputs - 1) * stride + span - size, 0) - before,
    )
    assert left["Pad"] == (0 if explicit or is_same else 1)


@pytest.mark.parametrize(("size", "pads"), [(8, 0), (9, 1)])
def test_the_padding_of_keras_mobilenets_is_same_for_even_sizes(size: int, pads: int) -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.layers.ZeroPadding2D(((0, 1), (0, 1))), keras.layers.Conv2D(2, 3, strides=2)]
    model = keras.Sequential([keras.layers.Input((size, size, 3)), *layers])
    assert _left(freeze(lambda x: model(x), (1, size, size, 3)), "fold-pads")["Pad"] == pads


def test_same_pads_are_those_of_tensorflow() -> None:
    import tensorflow as tf

    for size in range(1, 9):
        for kernel in (1, 2, 3, 5):
            for stride in (1, 2, 3):
                found = same_pads(size, kernel, stride, 1)
                assert found is not None
                x = np.arange(1.0, size + 1, dtype="float32").reshape(1, size, 1, 1)
                w = 10.0 ** np.arange(kernel, dtype="float32").reshape(kernel, 1, 1, 1)
                by_itself = tf.nn.conv2d(x, w, stride, "SAME").numpy()
                padded = tf.nn.conv2d(np.pad(x, ((0, 0), found, (0, 0), (0, 0))), w, stride, "VALID").numpy()
                np.testing.assert_array_equal(by_itself, padded)


@pytest.mark.slow
def test_all_pads_of_mobilenet_fold(shared: Path) -> None:
    from tfmobile.loading import load

    graph = load(shared / "models" / "mobilenet_v1_0.25_224" / "frozen.pb").graph
    assert graph is not None
    assert sum(node.op == "Pad" for node in graph) == 4
    result = rewrite(graph, "strip-unused remove-training-nodes fold-constants fold-batch-norms fold-pads")
    assert not any(step.refused for step in result.steps)
    assert result.steps[-1].max_rel is not None
    assert result.steps[-1].max_rel <= 1e-5
    left = Counter(node.op for node in result.graph)
    assert left["Pad"] == 0
    assert left["FusedBatchNormV3"] == left["FusedBatchNorm"] == 0
