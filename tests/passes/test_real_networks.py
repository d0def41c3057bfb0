"""Real networks: every pass alone keeps their answer, and the default passes together take less than a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_graph import build
from tests.passes.each_pass import KEEPING, TRIED, feeds_through, moved, tried
from tfmobile.graph.linear import BATCH_NORMS
from tfmobile.graph.model import Graph
from tfmobile.graph.run import Runner, run
from tfmobile.graph.samples import random_samples
from tfmobile.loading import load
from tfmobile.passes import rewrite

pytestmark = pytest.mark.slow
MOBILENET, EFFICIENTNET = "mobilenet_v1_0.25_224/frozen.pb", "efficientnet_lite0/model.keras"
TINY = ("resnet8_cifar10.h5", "kws_ref_model", "vww_96.h5", "ad01.h5")
TOLERANCE = 1e-5


def _graph(shared: Path, model: str) -> Graph:
    graph = load(shared / "models" / model).graph
    assert graph is not None
    return graph


@pytest.mark.parametrize(("model", "before", "after"), [(MOBILENET, 378, 145), (EFFICIENTNET, 983, 246)])
def test_the_default_passes_take_less_than_a_second_and_leave_no_batch_norm(
    model: str, before: int, after: int, shared: Path
) -> None:
    graph = _graph(shared, model)
    rewrite(build(1, 4))  # imports TensorFlow
    result = rewrite(graph)
    assert (len(graph), len(result.graph)) == (before, after)
    (norms,) = (step for step in result.steps if step.name == "fold-batch-norms")
    assert norms.changed
    assert not norms.skipped  # a batch norm that is left would be here
    assert not any(node.op in BATCH_NORMS for node in result.graph)
    assert all(step.max_rel is not None and step.max_rel <= TOLERANCE for step in result.steps)
    assert sum(step.seconds for step in result.steps) <= 1


@pytest.mark.parametrize("model", [MOBILENET, EFFICIENTNET, *(f"mlperf_tiny/{name}" for name in TINY)])
def test_each_pass_alone_on_a_real_network(model: str, shared: Path) -> None:
    graph = _graph(shared, model)
    (feed,) = random_samples(graph, 1)
    with Runner(graph) as original:
        answers = original.run(feed)
        for name in TRIED:
            result = tried(name, graph)
            if result is None:
                continue
            new, old = feeds_through([result], feed)
            far = moved(run(result.graph, new), original.run(old) if result.feeds else answers)
            assert np.isfinite(far), name
            assert far <= TOLERANCE or name not in KEEPING, f"{name}: an output moves by {far:.3g}"
