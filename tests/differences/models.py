"""Small models to compare, as what ``load`` would return."""

from __future__ import annotations

from tfmobile.artifacts import SourceModel
from tfmobile.differences import ModelDiff, diff_models
from tfmobile.graph.model import Graph
from tfmobile.graph.text_parser import parse_graph

NETWORK = """
input x: float32[?,2] = x
output y: float32[?,2] = y
x = Placeholder {dtype=float32, shape=[?,2]}
w = Const float32[2,2] (1.0, 2.0, 3.0, 4.0)
read = Identity(w) {T=float32}
dense = MatMul(x, read) {T=float32, transpose_a=false, transpose_b=false}
b = Const float32[2] (0.5, 0.25)
bias = BiasAdd(dense, b) {T=float32, data_format="NHWC"}
act = Tanh(bias) {T=float32}
w2 = Const float32[2,2] (0.5, -1.0, 1.0, 0.25)
y = MatMul(act, w2) {T=float32, transpose_a=false, transpose_b=false}
"""


def of_graph(graph: Graph, path: str = "model.pb") -> SourceModel:
    """A source with this graph."""
    return SourceModel(path, "frozen-graph", "A graph", "0", 9, graph=graph)


def of_text(*changes: tuple[str, str], text: str = NETWORK) -> SourceModel:
    """A source with the graph that ``text`` describes after ``changes`` (old, new), each of which must apply."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return of_graph(parse_graph(text))


def of_tflite(content: bytes, path: str = "model.tflite") -> SourceModel:
    """A source with this .tflite."""
    return SourceModel(path, "tflite", "TensorFlow Lite model", "0", len(content), tflite=content)


def changed_to(*changes: tuple[str, str], text: str = NETWORK) -> ModelDiff:
    """The difference between ``text`` and itself after ``changes``."""
    return diff_models(of_text(text=text), of_text(*changes, text=text))


def fields(diff: ModelDiff) -> dict[str, list[str]]:
    """Node → ``what: before → after`` of everything that changed."""
    return {
        node.name: [f"{field.what}: {field.before} → {field.after}" for field in node.fields]
        for node in diff.structure.changed
    }
