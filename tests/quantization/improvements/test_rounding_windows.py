from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.graph.model import Node
from tfmobile.graph.run import run
from tfmobile.quantization.improvements.rounding_moments import moments, trusted, windows


def convolve(**options: Any) -> Any:
    import tensorflow as tf

    return lambda x, weights: tf.nn.conv2d(x, weights, **options)


def depthwise(**options: Any) -> Any:
    import tensorflow as tf

    return lambda x, weights: tf.nn.depthwise_conv2d(x, weights, **options)


LAYERS: dict[str, Callable[[], Any]] = {
    "same": lambda: (convolve(strides=1, padding="SAME"), (3, 3, 4, 5)),
    "same, stride 2": lambda: (convolve(strides=2, padding="SAME"), (3, 3, 4, 5)),
    "valid": lambda: (convolve(strides=[1, 2, 3, 1], padding="VALID"), (2, 3, 4, 5)),
    "dilated": lambda: (convolve(strides=1, padding="SAME", dilations=2), (3, 3, 4, 5)),
    "explicit": lambda: (convolve(strides=2, padding=[[0, 0], [1, 0], [2, 1], [0, 0]]), (3, 3, 4, 5)),
    "pointwise": lambda: (convolve(strides=1, padding="VALID"), (1, 1, 4, 5)),
    "depthwise": lambda: (depthwise(strides=[1, 2, 2, 1], padding="SAME"), (3, 3, 4, 1)),
    "multiplied": lambda: (depthwise(strides=[1, 1, 1, 1], padding="SAME"), (3, 2, 4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_rows_of_a_layer_times_its_weights_are_what_it_gives(name: str) -> None:
    build, shape = LAYERS[name]()
    generator = np.random.default_rng(0)
    weights = generator.normal(size=shape).astype(np.float32)
    data = generator.normal(size=(2, 9, 8, 4)).astype(np.float32)
    graph = tf1(lambda x: build(x, weights), (2, 9, 8, 4))
    target = run(graph, {"x": data})["y0"]
    node = next(node for node in graph if node.op in ("Conv2D", "DepthwiseConv2dNative"))
    x, y = windows(node, weights).rows(data, target, 30, generator)
    groups = 4 if node.op == "DepthwiseConv2dNative" else 1
    flat = weights.reshape(-1, groups, weights.size // groups // (shape[0] * shape[1] * (1 if groups > 1 else 4)))
    np.testing.assert_allclose(x @ flat.swapaxes(0, 1), y, atol=1e-4)
    assert y.shape[1] == min(30, target.size // target.shape[-1])


def test_the_rows_of_a_dense_layer_are_its_inputs() -> None:
    data = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    x, y = windows(Node("n", "MatMul"), np.zeros((3, 5))).rows(data, np.zeros((4, 5)), 10, np.random.default_rng(0))
    assert x.shape == (1, 4, 3)
    assert y.shape == (1, 4, 5)


def test_moments_are_those_of_numpy() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(3, 1, (1, 50, 4)), generator.normal(size=(1, 50, 2))
    found = moments(x.astype(np.float32), y.astype(np.float32))
    both = np.cov(np.concatenate([x[0], y[0]], axis=1).T, bias=True)
    np.testing.assert_allclose(found.xx[0], both[:4, :4], atol=1e-5)
    np.testing.assert_allclose(found.xy[0], both[:4, 4:], atol=1e-5)
    np.testing.assert_allclose(found.x[0], x[0].mean(axis=0), atol=1e-5)


def test_rows_of_broken_samples_are_left_out() -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(1, 4, 3)).astype(np.float32)
    x = generator.normal(size=(1, 200, 4)).astype(np.float32)
    y = x @ weights + generator.normal(0, 0.01, (1, 200, 3)).astype(np.float32)
    y[:, [5, 70]] += 50
    kept, _ = trusted(x, y, weights)
    assert kept.shape[1] == 198
    assert not np.isin(x[0, [5, 70]], kept).any()


def test_all_rows_stay_when_none_is_unlike_the_others() -> None:
    x = np.random.default_rng(0).normal(size=(1, 200, 4)).astype(np.float32)
    assert trusted(x, np.zeros((1, 200, 3), np.float32), np.zeros((1, 4, 3)))[0].shape == x.shape
