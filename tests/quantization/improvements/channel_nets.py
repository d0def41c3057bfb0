"""Small networks of layers with a bias, drafts of them, and samples to fit on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from tests.passes.freezing import tf1
from tfmobile.artifacts import Calibration, Statistics
from tfmobile.conversion import convert
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner
from tfmobile.quantization import calibrate, quantize, recipe
from tfmobile.quantization.improvements.draft import Draft
from tfmobile.runtime import run as run_tflite

SHAPE = [1, 8, 8, 3]
Activation = Literal["relu", "relu6", "leaky", "none"]


class Given:
    """Samples held in memory."""

    def __init__(self, feeds: Sequence[dict[str, Array]]) -> None:
        self._feeds = list(feeds)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(place) for place in range(len(self)))

    def __len__(self) -> int:
        return len(self._feeds)

    def feed(self, index: int) -> dict[str, Array]:
        return self._feeds[index]

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        for start in range(0, len(self), size):
            part = self._feeds[start : start + size]
            yield {key: np.concatenate([feed[key] for feed in part]) for key in part[0]}


def pictures(count: int = 32, shape: Sequence[int] = SHAPE, seed: int = 0) -> Given:
    """Random pictures of −1 to 1."""
    generator = np.random.default_rng(seed)
    return Given([{"x": generator.uniform(-1, 1, shape).astype(np.float32)} for _ in range(count)])


def draft_of(graph: Graph, granularity: Literal["tensor", "channel"] = "tensor") -> Draft:
    """A draft of which only the graph and the recipe are there: rewrites look at nothing else."""
    chosen = recipe("int8-per-tensor-fast" if granularity == "tensor" else "int8-fast")
    return Draft(graph, b"", Statistics({}, ()), {}, b"", chosen)


def spread(channels: int, factor: float, seed: int = 0) -> Array:
    """Sizes of channels, from 1/factor to factor."""
    generator = np.random.default_rng(seed)
    return factor ** generator.uniform(-1, 1, channels)


def weights(*shape: int, seed: int = 0) -> Array:
    """Normal weights that keep the size of what they read."""
    return np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[:-1]))


def separable(
    activation: Activation = "relu6",
    *,
    factor: float = 30.0,
    size: float = 1.0,
    padding: str = "SAME",
    bias: float = 0.3,
) -> Graph:
    """Convolution, depthwise, pointwise, mean, dense: the same function whatever ``factor`` scales its channels by.

    ``size``: how large activations get.
    """
    import tensorflow as tf

    active = activations()[activation]
    first, second = spread(8, factor), spread(8, factor, seed=1)

    def build(x: Any) -> Any:
        x = tf.nn.conv2d(x, const(size * weights(3, 3, 3, 8) * first, "conv/w"), 1, "SAME", name="conv")
        x = active(tf.nn.bias_add(x, const(size * bias * first, "conv/b")), name="conv/act")
        kernel = weights(3, 3, 8, 1, seed=1) * 3 * (second / first)[:, None]
        x = tf.nn.depthwise_conv2d(x, const(kernel, "dw/w"), [1, 1, 1, 1], padding, name="dw")
        x = active(tf.nn.bias_add(x, const(size * bias * second, "dw/b")), name="dw/act")
        x = tf.nn.conv2d(x, const(weights(1, 1, 8, 12, seed=2) / second[:, None], "pw/w"), 1, "SAME", name="pw")
        x = active(tf.nn.bias_add(x, const(np.full(12, bias), "pw/b")), name="pw/act")
        x = tf.matmul(tf.reduce_mean(x, [1, 2]), const(weights(12, 5, seed=3), "dense/w"), name="dense")
        return tf.nn.bias_add(x, const(np.zeros(5), "dense/b"), name="answer")

    return tf1(build, SHAPE)


def activations() -> dict[str, Callable[..., Any]]:
    """By name."""
    import tensorflow as tf

    return {"relu": tf.nn.relu, "relu6": tf.nn.relu6, "leaky": tf.nn.leaky_relu, "none": tf.identity}


def const(value: Array, name: str) -> Any:
    """A named float32 constant."""
    import tensorflow as tf

    return tf.constant(np.asarray(value, np.float32), name=name)


def stored(graph: Graph, name: str) -> Array:
    """The value of a constant."""
    value = graph.nodes[name].value
    assert value is not None
    return value


def answers(graph: Graph, samples: Given) -> Array:
    """The float answers [samples, values]."""
    with Runner(graph) as runner:
        rows = [next(iter(runner.run(samples.feed(place)).values())) for place in range(len(samples))]
    return np.stack([row.reshape(-1) for row in rows])


def values(graph: Graph, name: str, samples: Given) -> Array:
    """A tensor over samples."""
    with Runner(graph, [TensorRef(name)]) as runner:
        return np.concatenate([next(iter(runner.run(samples.feed(at)).values())) for at in range(len(samples))])


def parted(before: Graph, after: Graph, samples: Given) -> float:
    """How far answers part, relative to the largest."""
    expected = answers(before, samples)
    return float(np.abs(answers(after, samples) - expected).max() / np.abs(expected).max())


def int8_error(graph: Graph, reference: Graph, samples: Given, kind: str = "int8-per-tensor-fast") -> float:
    """Noise of the real int8 .tflite against the float answers of ``reference``, relative to their variance."""
    floating = convert(graph)
    feeds = [(str(place), samples.feed(place)) for place in range(len(samples))]
    ranges: Calibration = calibrate(floating, feeds, source="test")
    content = quantize(floating, recipe(kind), ranges, io="float32")
    found = run_tflite(content, [feed for _, feed in feeds])
    expected = answers(reference, samples)
    got = np.stack([next(iter(one.values())).reshape(-1) for one in found])
    return float(np.mean((got - expected) ** 2) / np.var(expected))
