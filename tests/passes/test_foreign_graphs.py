"""Frozen graphs that others made, with the answers they published: the default passes keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.match import CONTROL_FLOW
from tfmobile.graph.model import Graph, TensorRef, TensorSpec
from tfmobile.graph.run import run
from tfmobile.passes import rewrite

pytestmark = pytest.mark.slow
ACTIVE_DROPOUT = {"alpha_dropout", "dropout", "layers_dropout"}
"""Their published answers are those of training; at inference dropout gives its input."""


def _load(folder: Path, entry: dict[str, Any]) -> tuple[Graph, dict[str, Any]]:
    inputs = [
        TensorSpec(name, TensorRef.parse(name), dtype, tuple(shape))
        for name, dtype, shape in zip(entry["inputs"], entry["dtypes"], entry["input_shapes"], strict=True)
    ]
    outputs = [TensorSpec(name, TensorRef.parse(name), "float32", None) for name in entry["outputs"]]
    feed = {name: np.load(folder / f"{entry['id']}.in.{index}.npy") for index, name in enumerate(entry["inputs"])}
    return from_graph_def((folder / f"{entry['id']}.pb").read_bytes(), inputs, outputs), feed


def test_the_default_passes_keep_the_published_answers(shared: Path) -> None:
    folder = shared / "foreign_graphs"
    entries = json.loads((folder / "manifest.json").read_text())
    assert len(entries) == 174
    left: list[str] = []
    for entry in entries:
        graph, feed = _load(folder, entry)
        result = rewrite(graph, samples=[feed])
        for step in result.steps:
            assert not step.refused, (entry["id"], step.name, step.reason)
            left.extend(f"{entry['id']}: {line}" for line in step.skipped if "BatchNorm" in line)
        found = run(result.graph, feed)
        if entry["id"].split("__")[0] in ACTIVE_DROPOUT:
            np.testing.assert_array_equal(found[entry["outputs"][0]], feed[entry["inputs"][0]], entry["id"])
            continue
        original = run(graph, feed)
        for index, key in enumerate(entry["outputs"]):
            published = np.load(folder / f"{entry['id']}.out.{index}.npy")
            np.testing.assert_allclose(found[key], published, rtol=2e-2, atol=1e-4, err_msg=entry["id"])
            scale = float(np.abs(original[key].astype("float64")).max(initial=0.0))
            gap = np.nan_to_num(np.abs(found[key].astype("float64") - original[key].astype("float64")))
            assert gap.max(initial=0.0) <= 1e-5 * scale, entry["id"]
        if any(node.op in CONTROL_FLOW for node in graph):
            assert any(node.op in CONTROL_FLOW for node in result.graph), entry["id"]
    print("\n".join(left))
    assert len(left) == 2
