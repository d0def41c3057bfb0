"""A frozen graph read for editing keeps every node, device and control edge."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tfmobile.errors import ModelError, UntrustedModelError
from tfmobile.graph.edit import constant
from tfmobile.graph.graphdef import serialize
from tfmobile.graph.model import Graph
from tfmobile.graph.text_parser import parse_graph
from tfmobile.loading import load

TEXT = """
x = Placeholder {dtype=float32, shape=[?,4]}
keep_prob = Placeholder {dtype=float32, shape=[]}
w = Const float32[4,2] (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
ready = NoOp
dense = MatMul(x, w, ^ready) {T=float32, transpose_a=false, transpose_b=false} @"/cpu:0"
kept = Mul(dense, keep_prob) {T=float32}
y = Relu(kept) {T=float32}
beside = Tanh(dense) {T=float32}
"""


def _write(folder: Path, text: str = TEXT) -> Path:
    path = folder / "graph.pb"
    path.write_bytes(serialize(parse_graph(text)))
    return path


def _graph(path: Path, **options: object) -> Graph:
    graph = load(path, verbatim=True, **options).graph  # type: ignore[arg-type]
    assert graph is not None
    return graph


def test_nothing_is_pruned_or_cleaned(tmp_path: Path) -> None:
    graph = _graph(_write(tmp_path), output=["y"])
    assert set(graph.nodes) == {"x", "keep_prob", "w", "ready", "dense", "kept", "y", "beside"}
    assert graph.nodes["dense"].device == "/cpu:0"
    assert graph.nodes["dense"].controls == ("ready",)


def test_open_dimensions_stay_open_unless_a_shape_is_given(tmp_path: Path) -> None:
    path = _write(tmp_path)
    assert _graph(path, output=["y"]).inputs[0].shape == (None, 4)
    assert _graph(path, output=["y"], input_shape=["3x4"]).inputs[0].shape == (3, 4)


def test_ends_are_guessed_and_it_is_said(tmp_path: Path) -> None:
    source = load(_write(tmp_path), verbatim=True)
    assert source.graph is not None
    assert [spec.key for spec in source.graph.inputs] == ["x"]
    assert {spec.key for spec in source.graph.outputs} == {"y", "beside"}
    assert any("guessed" in note for note in source.notes)


def test_a_phase_placeholder_is_settled_and_it_is_said(tmp_path: Path) -> None:
    source = load(_write(tmp_path), verbatim=True, output=["y"])
    assert source.graph is not None
    np.testing.assert_array_equal(source.graph.nodes["keep_prob"].value, np.float32(1.0))
    assert any("'keep_prob'" in note for note in source.notes)


def test_an_op_that_tensorflow_does_not_have_is_kept(tmp_path: Path) -> None:
    graph = _graph(_write(tmp_path, TEXT.replace("y = Relu", "y = MyOwnRelu")), output=["y"])
    assert graph.nodes["y"].op == "MyOwnRelu"
    assert graph.outputs[0].dtype == "float32"
    assert graph.outputs[0].shape is None


def test_wrong_ends_and_graphs_that_reach_outside_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no node called 'z'"):
        _graph(_write(tmp_path), output=["z"])
    with pytest.raises(UntrustedModelError):
        _graph(_write(tmp_path, TEXT + 'f = ReadFile(name)\nname = Const string[] ("a")\n'), output=["y"])


def test_of_a_very_large_graph_no_more_is_asked_than_its_nodes_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfmobile.loading.verbatim._MOST_NODES", 3)
    text = TEXT + "axis = Const int32[] (1)\nbest = ArgMax(y, axis) {T=float32, Tidx=int32, output_type=int32}\n"
    graph = _graph(_write(tmp_path, text), input=["x"], output=["best"])
    assert [(spec.dtype, spec.shape) for spec in graph.inputs] == [("float32", (None, 4))]
    assert [(spec.dtype, spec.shape) for spec in graph.outputs] == [("int32", None)]


def test_large_weights_are_read_whole(tmp_path: Path) -> None:
    weights = np.arange(40_000, dtype="float32").reshape(4, 10_000)
    graph = parse_graph(TEXT)
    path = tmp_path / "large.pb"
    path.write_bytes(serialize(dataclasses.replace(graph, nodes={**graph.nodes, "w": constant("w", weights)})))
    found = _graph(path, output=["y"])
    np.testing.assert_array_equal(found.nodes["w"].value, weights)
    assert found.outputs[0].shape == (None, 10_000)
