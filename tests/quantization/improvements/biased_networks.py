"""Networks whose rounding shifts the mean of every channel, and drafts of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.quantization.simulation.networks import samples
from tfmobile.artifacts import Calibration
from tfmobile.conversion import convert
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization import quantize, recipe
from tfmobile.quantization.improvements.draft import Draft
from tfmobile.quantization.ranges import choose
from tfmobile.quantization.statistics import measure_statistics

SHAPE = (1, 8, 8, 4)


@dataclass(frozen=True)
class Given:
    """Samples in memory: [samples, …]."""

    values: Array

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"sample {place}" for place in range(len(self.values)))

    def __len__(self) -> int:
        return len(self.values)

    def feed(self, index: int) -> dict[str, Array]:
        return {"x": self.values[index : index + 1]}

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        for place in range(0, len(self.values), size):
            yield {"x": self.values[place : place + size]}


def rounded_up(*shape: int, seed: int = 0) -> Array:
    """Weights that all lie 0.4 steps of their channel below a multiple of it."""
    generator = np.random.default_rng(seed)
    whole = generator.integers(-20, 20, shape) - 0.4
    whole[(0,) * (len(shape) - 1)] = 127  # the largest, which decides the step
    return (whole * 0.01 * 2.0 ** generator.integers(-1, 2, shape[-1])).astype(np.float32)


def network(x: Any) -> Any:
    """Two convolutions, a depthwise one and a dense layer, with weights that are all rounded up."""
    import tensorflow as tf

    bias = np.linspace(0.1, 0.2, 8, dtype=np.float32)
    x = tf.nn.relu(x)
    x = tf.nn.relu(tf.nn.conv2d(x, rounded_up(3, 3, 4, 8), 1, "VALID", name="first") + bias, name="a")
    x = tf.nn.depthwise_conv2d(x, rounded_up(3, 3, 8, 1).reshape(3, 3, 8, 1), [1, 1, 1, 1], "VALID", name="second")
    x = tf.nn.relu(x + 2 * bias, name="b")
    x = tf.nn.relu(tf.nn.conv2d(x, rounded_up(1, 1, 8, 8, seed=2), 1, "VALID", name="third") + 3 * bias, name="c")
    x = tf.reduce_mean(x, [1, 2], name="means")
    return tf.matmul(x, rounded_up(8, 5, seed=3), name="last") + bias[:5]


def given(count: int = 64, seed: int = 0) -> Given:
    return Given(samples(count, SHAPE, seed=seed))


def draft(graph: Graph, fitted: Given) -> Draft:
    """The graph with statistics over ``fitted``, quantized."""
    floating, plain = convert(graph), recipe("int8-fast")
    statistics = measure_statistics(floating, fitted)
    ranges = choose(statistics, "min-max")
    return Draft(graph, floating, statistics, ranges, requantized(floating, ranges), plain)


def requantized(floating: bytes, ranges: Any) -> bytes:
    return quantize(floating, recipe("int8-fast"), Calibration(ranges, 1, "test"), io="float32")
