"""What the passes on weights make of the files of real models, zipped and not."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from tfmobile.graph.graphdef import serialize
from tfmobile.graph.model import Graph
from tfmobile.loading import load
from tfmobile.passes import make_pass

MODELS = {
    "MobileNet V1 0.25": "mobilenet_v1_0.25_224/frozen.pb",
    "EfficientNet-Lite0": "efficientnet_lite0/model.keras",
}


@pytest.fixture(scope="module", params=MODELS)
def graph(request: pytest.FixtureRequest, shared: Path) -> Graph:
    return load(shared / "models" / MODELS[request.param]).graph


def _sizes(graph: Graph) -> tuple[int, int]:
    content = serialize(graph)
    return len(content), len(zlib.compress(content, 6))


def _measured(graph: Graph, call: str) -> tuple[float, float]:
    """The size and the zipped size, each as a part of that of the graph before."""
    before, after = _sizes(graph), _sizes(make_pass(call).apply(graph).graph)
    raw, zipped = after[0] / before[0], after[1] / before[1]
    print(
        f"{call}: {before[0]:,} to {after[0]:,} bytes ({raw:.3f}), zipped {before[1]:,} to {after[1]:,} ({zipped:.3f})"
    )
    return raw, zipped


@pytest.mark.slow
def test_rounded_weights_zip_to_a_third(graph: Graph) -> None:
    raw, zipped = _measured(graph, "round_weights(num_steps=256)")
    assert raw == pytest.approx(1, abs=0.001)
    assert zipped <= 0.35


@pytest.mark.slow
def test_weights_in_eight_bits_take_a_quarter(graph: Graph) -> None:
    raw, zipped = _measured(graph, "quantize_weights")
    assert raw <= 0.3
    assert zipped <= 0.3
