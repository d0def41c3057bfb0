"""Frozen graphs that others made, with the answers they published: every pass, alone and in the line, keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.passes.each_pass import KEEPING, TRIED, Answers, feeds_through, moved, tried
from tfmobile.artifacts import PassResult
from tfmobile.errors import TfmobileError
from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.linear import BATCH_NORMS
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Graph, TensorRef, TensorSpec
from tfmobile.graph.run import run
from tfmobile.passes import rewrite

TOLERANCE = 1e-5
"""Of the output's largest value."""
ACTIVE_DROPOUT = {"alpha_dropout", "dropout", "layers_dropout"}
"""Their published answers are those of training; at inference dropout gives its input."""


@dataclass(frozen=True)
class Foreign:
    """A graph with its feed, and what it answers: as published; and here, None when that is different each time."""

    id: str
    graph: Graph
    feed: Answers
    published: Answers
    answers: Answers | None


@pytest.fixture(scope="module")
def foreign(shared: Path) -> list[Foreign]:
    folder = shared / "foreign_graphs"
    entries = json.loads((folder / "manifest.json").read_text())
    assert len(entries) == 174
    return [_load(folder, entry) for entry in entries]


def _load(folder: Path, entry: dict[str, Any]) -> Foreign:
    inputs = [
        TensorSpec(name, TensorRef.parse(name), dtype, tuple(shape))
        for name, dtype, shape in zip(entry["inputs"], entry["dtypes"], entry["input_shapes"], strict=True)
    ]
    outputs = [TensorSpec(name, TensorRef.parse(name), "float32", None) for name in entry["outputs"]]
    feed = {name: np.load(folder / f"{entry['id']}.in.{index}.npy") for index, name in enumerate(entry["inputs"])}
    published = {key: np.load(folder / f"{entry['id']}.out.{index}.npy") for index, key in enumerate(entry["outputs"])}
    graph = from_graph_def((folder / f"{entry['id']}.pb").read_bytes(), inputs, outputs)
    answers = run(graph, feed)
    repeats = entry["id"].split("__")[0] not in ACTIVE_DROPOUT
    return Foreign(entry["id"], graph, feed, published, answers if repeats else None)


def test_the_default_passes_keep_the_published_answers(foreign: list[Foreign]) -> None:
    for one in foreign:
        result = rewrite(one.graph, samples=[one.feed])
        assert not [(one.id, step.name, step.reason) for step in result.steps if step.refused]
        found = run(result.graph, one.feed)
        if one.answers is None:
            (data,), (answer,) = one.feed.values(), found.values()
            np.testing.assert_array_equal(answer, data, one.id)
            continue
        assert moved(found, one.answers) <= TOLERANCE, one.id
        for key, value in one.published.items():
            np.testing.assert_allclose(found[key], value, rtol=2e-2, atol=1e-4, err_msg=one.id)
        if any(node.op in CONTROL_FLOW for node in one.graph):
            assert any(node.op in CONTROL_FLOW for node in result.graph), one.id


LEFT = {
    "batchnorm__rank2_batch3_sz5_fused_m50_e01",
    "batchnorm__rank3_ncw_batch3_sz5_fused_m50_e01",
    "batchnorm__rank3_ncw_batch4_sz5_noFused",
    "batchnorm__rank3_ncw_batch4_sz5_noFused_m50e01",
    "batchnorm__rank3_nwc_batch2_sz5_fused",
    "batchnorm__rank3_nwc_batch3_sz5_fused_m50_e01",
    "batchnorm__rank3_nwc_batch4_sz5_noFused",
    "batchnorm__rank4_nchw_batch4_sz5_noFused",
    "fused_batch_norm__float16_nhwc",
    "fused_batch_norm__float32_nhcw",
}
"""The graphs that keep a batch norm, fused or decomposed: all that have one. It is the first node after the input."""


def test_the_only_batch_norms_left_have_no_layer_before_them(foreign: list[Foreign]) -> None:
    left: dict[str, list[str]] = {}
    for one in foreign:
        result = rewrite(one.graph, samples=[one.feed], verify=False)
        (step,) = (step for step in result.steps if step.name == "fold-batch-norms")
        if step.skipped:
            left[one.id] = [line.partition(": ")[2] for line in step.skipped]
        if any(node.op in BATCH_NORMS for node in result.graph):
            assert one.id in left, one.id
    assert left == {key: ["it follows 'in_0' (Placeholder), not a layer with weights."] for key in LEFT}


@pytest.mark.parametrize("name", TRIED)
def test_each_pass_alone(name: str, foreign: list[Foreign]) -> None:
    """One that keeps the answer keeps it; another's result runs and answers with numbers."""
    wrong: list[str] = []
    changed = 0
    for one in foreign:
        result = tried(name, one.graph)
        if result is None:
            continue
        changed += 1
        problem = _problem(one, result, name in KEEPING)
        if problem:
            wrong.append(f"{one.id}: {problem}")
    print(f"{name}: changed {changed} graphs")
    assert not wrong, "\n".join(wrong)


def _problem(one: Foreign, result: PassResult, keeps: bool) -> str:
    new, old = feeds_through([result], one.feed)
    try:
        found = run(result.graph, new)
    except TfmobileError as error:
        return f"it does not run. {error.what} {error.why}"
    if one.answers is None:
        return ""
    far = moved(found, run(one.graph, old) if result.feeds else one.answers)
    if far <= (TOLERANCE if keeps else np.inf) and np.isfinite(far):
        return ""
    return f"an output moves by {far:.3g}"
