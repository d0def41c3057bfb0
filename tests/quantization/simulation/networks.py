"""Small graphs, and the int8 .tflite that tfmobile makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.passes.freezing import tf1
from tfmobile.artifacts import Calibration
from tfmobile.conversion import convert
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization import calibrate, quantize, recipe
from tfmobile.runtime import open_interpreter


def weights(*shape: int, seed: int = 0) -> Array:
    """Normal weights whose channels (last axis) differ in size by up to 10."""
    generator = np.random.default_rng(seed)
    spread = 10 ** generator.uniform(-0.5, 0.5, shape[-1])
    return (generator.normal(size=shape) * spread / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


def samples(count: int, shape: Sequence[int], seed: int = 0) -> Array:
    """[count, …] normal values; some fall on halves of any step."""
    generator = np.random.default_rng(seed)
    return np.round(generator.normal(size=(count, *shape[1:])) * 16).astype(np.float32) / 16


def calibrated(graph: Graph, values: Array) -> tuple[bytes, Calibration]:
    """The float .tflite, and its ranges over ``values``."""
    floating = convert(graph)
    feeds = [(str(place), {"x": values[place : place + 1]}) for place in range(len(values))]
    return floating, calibrate(floating, feeds, source="test")


def int8(
    build: Callable[[Any], Any], shape: Sequence[int], name: str = "int8", io: str = "float32"
) -> tuple[Graph, bytes]:
    """The graph that ``build`` makes of a placeholder, and its int8 .tflite, calibrated on 40 samples."""
    graph = tf1(build, shape)
    floating, calibration = calibrated(graph, samples(40, shape))
    return graph, quantize(floating, recipe(name), calibration, io=io)


def answers(content: bytes, values: Array, xnnpack: bool = True) -> Array:
    """What the runtime gives for each sample, [samples, …], as real values."""
    interpreter = open_interpreter(content, xnnpack=xnnpack)
    rows = [interpreter.run({"x": values[place : place + 1]}) for place in range(len(values))]
    return np.concatenate([next(iter(row.values())) for row in rows])
