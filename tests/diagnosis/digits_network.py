"""A small network that reads digits, made without training, and faults planted in it that leave its answers alone.

Two random convolutions, whose outputs a dense layer sums up; that layer is fitted by least squares.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.passes.freezing import freeze
from tfmobile.artifacts import Calibration, Finding
from tfmobile.conversion import convert
from tfmobile.datasets.stored import store
from tfmobile.diagnosis import Explanation, explain, tied
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization import quantize, recipe
from tfmobile.quantization.fidelity import fidelity
from tfmobile.quantization.statistics import measure_statistics
from tfmobile.runtime import run

DATA = Path(__file__).resolve().parents[2] / "sample_models" / "digits" / "test.npz"
CALIBRATION, JUDGED = 100, 64
Weights = Mapping[str, Array]


@functools.cache
def digits() -> tuple[Array, Array]:
    """float32 [1000, 14, 14, 1] from 0 to 1, and labels."""
    with np.load(DATA) as stored:
        return stored["x"][:, ::2, ::2].astype(np.float32) / 255, stored["y"]


@dataclass(frozen=True)
class Network:
    """Weights by name, and what the layers do beside them.

    ``activation`` follows every convolution. ``parts`` change what is there after the
    stem or the pointwise layer, or before the stem's activation.
    """

    weights: Weights
    activation: str = "relu"
    pool: bool = False
    parts: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def __call__(self, x: Any) -> Any:
        import tensorflow as tf

        x = self.features(x)
        return tf.nn.softmax(tf.matmul(x, self.weights["dense"]) + self.weights["dense_bias"], name="answer")

    def features(self, x: Any) -> Any:
        import tensorflow as tf

        w = self.weights
        act = {"relu": tf.nn.relu, "swish": tf.nn.silu}[self.activation]
        x = act(self._part("stem_sums", tf.nn.conv2d(x, w["stem"], 2, "SAME", name="stem") + w["stem_bias"]))
        x = self._part("after_stem", x)
        x = act(tf.nn.depthwise_conv2d(x, w["depthwise"], [1, 1, 1, 1], "SAME") + w["depthwise_bias"])
        x = act(tf.nn.conv2d(x, w["pointwise"], 1, "VALID") + w["pointwise_bias"])
        x = self._part("after_pointwise", x)
        if self.pool:
            x = tf.nn.avg_pool2d(x, 7, 7, "VALID")
        return tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])

    def _part(self, name: str, x: Any) -> Any:
        return self.parts[name](x) if name in self.parts else x

    def with_weights(self, **changed: Array) -> Network:
        return dataclasses.replace(self, weights={**self.weights, **changed})


@functools.cache
def network(activation: str = "relu", pool: bool = False, channels: int = 8) -> Network:
    """A sound one."""
    generator = np.random.default_rng(5)

    def normal(*shape: int) -> Array:
        return (generator.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    made = Network(
        {
            "stem": 2 * normal(3, 3, 1, channels),
            "stem_bias": normal(1, channels)[0] / 8,
            "depthwise": normal(3, 3, channels, 1) * np.float32(2),
            "depthwise_bias": normal(1, channels)[0] / 8,
            "pointwise": 2 * normal(1, 1, channels, 16),
            "pointwise_bias": normal(1, 16)[0] / 8,
        },
        activation,
        pool,
    )
    return fitted(made)


def fitted(made: Network) -> Network:
    """With the dense layer that tells the digits apart best."""
    x, y = digits()
    features = np.asarray(made.features(x[CALIBRATION + JUDGED :]), np.float64)
    mean, spread = features.mean(0), features.std() + 1e-9
    scaled = (features - mean) / spread
    target = np.eye(10)[y[CALIBRATION + JUDGED :]]
    solved = np.linalg.solve(
        scaled.T @ scaled + 0.05 * len(scaled) * np.eye(scaled.shape[1]), scaled.T @ (target - 0.1)
    )
    dense = 12 * solved / spread
    bias = -mean @ dense
    return made.with_weights(dense=dense.astype(np.float32), dense_bias=bias.astype(np.float32))


def spiky(made: Network, place: str) -> Network:
    """With very rare values, in every channel, 400 times as far above the others as they are."""
    import tensorflow as tf

    seen: list[Array] = []
    dataclasses.replace(made, parts={place: lambda x: seen.append(np.asarray(x)) or x}).features(digits()[0][:300])
    highest = np.quantile(seen[0].reshape(-1, seen[0].shape[-1]), 0.9997, axis=0).astype(np.float32)
    return fitted(dataclasses.replace(made, parts={place: lambda x: x + np.float32(400) * tf.nn.relu(x - highest)}))


def frozen(made: Network) -> Graph:
    return freeze(made, (1, 14, 14, 1))


def diagnosed(
    made: Network | Graph,
    *,
    recipe_name: str = "int8",
    change_ranges: Callable[[dict[str, tuple[float, float]]], None] = lambda ranges: None,
    simulated: bool = True,
) -> Explanation:
    """Quantized by smallest and largest values alone, and explained."""
    graph = made if isinstance(made, Graph) else frozen(made)
    x, y = digits()
    floating = convert(graph)
    used = dataclasses.replace(recipe(recipe_name), improve=(), ranges="min-max")
    with store((str(place), None, {"x": x[place : place + 1]}) for place in range(CALIBRATION)) as samples:
        statistics = measure_statistics(floating, samples)
    ranges = {key: found.range for key, found in statistics.tensors.items()}
    change_ranges(ranges)
    content = quantize(floating, used, Calibration(ranges, CALIBRATION, "digits"))
    feeds = [{"x": x[place : place + 1]} for place in range(CALIBRATION, CALIBRATION + JUDGED)]
    wanted, found = run(floating, feeds), run(content, feeds)
    total = fidelity(wanted, found, y[CALIBRATION : CALIBRATION + JUDGED].tolist())
    return explain(
        floating, content, statistics, feeds, total, used, graph=graph if simulated else None, ties=tied(found)
    )


def named(found: Explanation, cause: str) -> Finding:
    """The finding of that name; an error that shows all others."""
    for one in found.findings:
        if one.cause == cause:
            return one
    raise AssertionError(f"{cause} is not among {[(one.cause, one.where, one.severity) for one in found.findings]}")
