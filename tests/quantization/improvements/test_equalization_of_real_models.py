"""One weight scale a tensor on a network whose channels differ two hundred times in size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.quantization.improvements.channel_nets import Given, draft_of, parted
from tfmobile.artifacts import TensorFact
from tfmobile.conversion import convert
from tfmobile.datasets import feed, open_dataset
from tfmobile.datasets.spec import DataSpec, Preprocessing
from tfmobile.graph.model import Array, Graph
from tfmobile.loading import load
from tfmobile.passes import rewrite
from tfmobile.progress import silent
from tfmobile.quantization import calibrate, quantize, recipe
from tfmobile.quantization.improvements import bias_correction, dead_channels, equalization, weight_clipping
from tfmobile.quantization.improvements.draft import Draft
from tfmobile.runtime import run

PLUS_MINUS_ONE = Preprocessing(mean=(127.5,), std=(127.5,))
EXACT = (dead_channels.improve, equalization.improve)


def pictures(folder: Path, count: int) -> Given:
    found = []
    facts = (TensorFact("input_2", (1, 224, 224, 3), "float32"),)
    for _, sample in open_dataset(DataSpec(path=str(folder), preprocessing=PLUS_MINUS_ONE)).iterate():
        found.append(feed(sample, PLUS_MINUS_ONE, facts))
        if len(found) == count:
            break
    return Given(found)


def quantized(graph: Graph, samples: Given) -> Draft:
    """The graph as int8 with one scale a tensor."""
    floating, chosen = convert(graph), draft_of(graph).recipe
    ranges = calibrate(floating, [(str(at), samples.feed(at)) for at in range(len(samples))], source="test")
    content = quantize(floating, chosen, ranges, io="float32")
    return Draft(graph, floating, draft_of(graph).statistics, ranges.ranges, content, recipe(chosen.name))


def corrected(graph: Graph, samples: Given) -> bytes:
    """As ``quantized``, with biases corrected."""
    found = bias_correction.improve(quantized(graph, samples), samples, silent)
    assert found.graph is not None
    return quantized(found.graph, samples).quantized


def classes(content: bytes, samples: Given) -> Array:
    answers = run(content, [samples.feed(at) for at in range(len(samples))], timeout_s=600)
    return np.array([int(next(iter(one.values())).argmax()) for one in answers])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mobilenet_with_one_scale_a_tensor_answers_again(shared: Path) -> None:
    graph = rewrite(load(str(shared / "models/mobilenet_v1_0.25_224/frozen.pb")).graph, verify=False).graph
    fitted = pictures(shared / "datasets/imagenet_calibration_500", 80)
    others = pictures(shared / "datasets/imagenet_val_500", 120)
    expected = classes(convert(graph), others)

    exact = graph
    for improve in EXACT:
        found = improve(draft_of(exact), fitted, silent)
        exact = found.graph or exact
    assert parted(graph, exact, fitted) < 1e-4
    damped = weight_clipping.improve(draft_of(exact), fitted, silent).graph
    assert damped is not None

    agreement = [float(np.mean(classes(corrected(one, fitted), others) == expected)) for one in (graph, exact, damped)]
    assert agreement[0] < 0.35
    assert agreement[1] > agreement[0] + 0.2
    assert agreement[2] > 0.7
