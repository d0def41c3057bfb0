"""Graphs as text."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tfmobile.errors import ModelError
from tfmobile.graph.attributes import QUANTIZED, dtype_name
from tfmobile.graph.edit import constant
from tfmobile.graph.graphdef import from_graph_def, serialize
from tfmobile.graph.model import DType, Graph, Node, RawAttr, ShapeAttr, TensorRef, TensorSpec
from tfmobile.graph.text import print_graph
from tfmobile.graph.text_parser import parse_graph

TEXT = """\
input image: float32[1,?,4,3] = x
output probs: float32[*] = y:1
x = Placeholder {dtype=float32, shape=[1,?,4,3]}
w = Const int32[2] (1, 2)
wait = NoOp(^x)
y = Split(w, x, ^wait) {T=float32, flags=(true, false), kinds=(float32, int8), name="a \\"b\\"", raw=raw:0a02} @"/cpu:0"
"""


def test_what_is_printed_is_what_was_parsed() -> None:
    graph = parse_graph(TEXT)
    assert print_graph(graph) == TEXT
    assert graph.inputs == (TensorSpec("image", TensorRef("x"), "float32", (1, None, 4, 3)),)
    assert graph.outputs[0].ref == TensorRef("y", 1)
    node = graph.nodes["y"]
    assert node.controls == ("wait",)
    assert node.device == "/cpu:0"
    assert node.attrs["kinds"] == (DType("float32"), DType("int8"))
    assert node.attrs["name"] == b'a "b"'
    assert node.attrs["raw"] == RawAttr(b"\n\x02")
    assert graph.nodes["x"].attrs["shape"] == ShapeAttr((1, None, 4, 3))


@pytest.mark.parametrize(
    "value",
    [
        np.array([0.1, -0.0, np.nan, np.inf], np.float32),
        np.array([0.1, 1e300]),
        np.array([[1.5], [2.5]], ml_dtypes.bfloat16),
        np.array([0.1], np.float16),
        np.array([True, False]),
        np.array([1 + 2j], np.complex64),
        np.array([b"text, (with) \xff", b""], object),
        np.array(2**63, np.uint64),
        np.zeros((0, 2), np.float32),
        np.broadcast_to(np.float32(0.1), (10, 10)),
        np.array([[1], [255]], QUANTIZED["quint8"]),
        np.broadcast_to(np.array(-7, QUANTIZED["qint32"]), (10, 10)),
    ],
    ids=lambda value: dtype_name(value),
)
def test_small_constants_of_every_dtype_read_back(value: np.ndarray) -> None:
    text = print_graph(Graph({"c": constant("c", value)}, (), ()))
    again = parse_graph(text).nodes["c"].value
    assert again is not None
    assert again.dtype == value.dtype
    assert again.shape == value.shape
    assert again.tolist() == value.tolist() or again.tobytes() == value.tobytes()


def test_large_constants_are_shown_by_their_hash_which_cannot_be_read_back() -> None:
    graph = Graph({"c": constant("c", np.arange(100.0))}, (), ())
    text = print_graph(graph)
    assert "float64[100] sha256:" in text
    with pytest.raises(ModelError, match="Line 1"):
        parse_graph(text)


@pytest.mark.parametrize("line", ["x", "x = ", "x = Add(a, b) {T=}", 'x = Const float32[2] (1.0 "a")'])
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(ModelError, match="Line 2") as found:
        parse_graph(f"# a comment\n{line}\n")
    assert found.value.fixes


def test_a_node_may_have_no_attributes() -> None:
    assert parse_graph("a = NoOp\n").nodes["a"] == Node("a", "NoOp")


def test_foreign_graphs_survive_as_text(shared: Path) -> None:
    for file in sorted((shared / "foreign_graphs").glob("*.pb")):
        graph = from_graph_def(file.read_bytes())
        again = parse_graph(print_graph(graph, inline=10**9))
        again = dataclasses.replace(
            again, library=graph.library, producer=graph.producer, min_consumer=graph.min_consumer
        )
        assert serialize(again) == serialize(graph), file.name
