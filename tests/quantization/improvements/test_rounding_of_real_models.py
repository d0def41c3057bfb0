from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.quantization.improvements.biased_networks import Given
from tfmobile.artifacts import Calibration
from tfmobile.conversion import convert
from tfmobile.graph.model import Array, Graph
from tfmobile.loading import load
from tfmobile.passes import DEFAULT_PASSES, rewrite
from tfmobile.progress import silent
from tfmobile.quantization import quantize, recipe
from tfmobile.quantization.improvements.draft import Draft
from tfmobile.quantization.improvements.weight_rounding import check_grid, improve
from tfmobile.quantization.ranges import choose
from tfmobile.quantization.simulation import open_simulation
from tfmobile.quantization.statistics import measure_statistics


@dataclasses.dataclass(frozen=True)
class Pictures(Given):
    """Samples under the model's own key."""

    key: str = "x"

    def feed(self, index: int) -> dict[str, Array]:
        return {self.key: self.values[index : index + 1]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["int8-fast", "int8-per-tensor-fast"])
def test_resnet8_comes_closer_to_its_float_answers(shared: Path, name: str) -> None:
    source = load(shared / "models/mlperf_tiny/resnet8_cifar10.h5").graph
    assert source is not None
    graph = rewrite(source, DEFAULT_PASSES, ()).graph
    fitted, others = (pictures(shared / f"datasets/{file}.npz") for file in FILES)
    given = Pictures(fitted[:100], graph.inputs[0].key)
    floating, chosen = convert(graph), recipe(name)
    statistics = measure_statistics(floating, given)
    ranges = choose(statistics, "min-max")
    content = quantize(floating, chosen, Calibration(ranges, 100, "test"), io="float32")
    found = improve(Draft(graph, floating, statistics, ranges, content, chosen), given, silent)
    assert found.graph is not None
    rounded = quantize(convert(found.graph), chosen, Calibration(ranges, 100, "test"), io="float32")
    assert check_grid(found.graph, rounded) == ()
    assert len(rounded) == len(content)
    held = {given.key: others[:200]}
    assert error(held, graph, rounded) < 0.9 * error(held, graph, content)


FILES = ("cifar10_calibration_500", "cifar10_test_2000")


def pictures(file: Path) -> Array:
    with np.load(file) as arrays:
        found = next(arrays[key] for key in arrays.files if arrays[key].ndim == 4)
    return np.asarray(found, np.float32)


def error(feeds: dict[str, Array], graph: Graph, quantized: bytes) -> float:
    """Mean squared error of the simulated .tflite's answers."""
    with open_simulation(graph, quantized) as simulation:
        (exact,), (rounded,) = simulation.float_outputs(feeds).values(), simulation.outputs(feeds).values()
    return float(np.square(exact - rounded).mean())
