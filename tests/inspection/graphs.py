"""Small TensorFlow graphs built by hand, as what ``load`` would return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmobile.artifacts import SourceModel
from tfmobile.graph.model import DType, Graph, Node, ShapeAttr, TensorRef, TensorSpec

FLOAT = DType("float32")
CONVOLUTION: Mapping[str, Any] = {
    "T": FLOAT,
    "strides": (1, 1, 1, 1),
    "padding": b"SAME",
    "data_format": b"NHWC",
}


class Nodes:
    """Adds nodes in order; ``source`` closes the graph."""

    def __init__(self, shape: tuple[int | None, ...] = (1, 8, 8, 3)) -> None:
        self.nodes: dict[str, Node] = {}
        self.input = TensorSpec("image", TensorRef("x"), "float32", shape)
        open_shape = ShapeAttr((None, *shape[1:]))
        self.add("x", "Placeholder", dtype=FLOAT, shape=open_shape)

    def add(self, name: str, op: str, inputs: Sequence[str] = (), **attrs: Any) -> str:
        self.nodes[name] = Node(name, op, tuple(map(TensorRef.parse, inputs)), attrs=attrs)
        return name

    def constant(self, name: str, *shape: int, fill: float = 0.5) -> str:
        value = np.full(shape, fill, np.float32)
        return self.add(name, "Const", dtype=FLOAT, value=value)

    def convolution(self, name: str, source: str, *kernel: int, op: str = "Conv2D") -> str:
        return self.add(name, op, [source, self.constant(f"{name}/kernel", *kernel)], **CONVOLUTION)

    def norm(self, name: str, source: str, channels: int, training: bool = False) -> str:
        values = [self.constant(f"{name}/{part}", channels) for part in ("scale", "offset", "mean", "variance")]
        attrs = {"T": FLOAT, "U": FLOAT, "is_training": training, "epsilon": 0.001, "data_format": b"NHWC"}
        return self.add(name, "FusedBatchNormV3", [source, *values], **attrs)

    def unary(self, name: str, op: str, source: str) -> str:
        return self.add(name, op, [source], T=FLOAT)

    def binary(self, name: str, op: str, left: str, right: str) -> str:
        return self.add(name, op, [left, right], T=FLOAT)

    def source(self, *outputs: str, **fields: Any) -> SourceModel:
        ends = tuple(TensorSpec(name, TensorRef(name), "float32", None) for name in outputs)
        graph = Graph(self.nodes, (self.input,), ends)
        values = {"path": "model.pb", "format": "frozen-graph", "summary": "A graph", "sha256": "0", "size_bytes": 9}
        return SourceModel(**{**values, "graph": graph, **fields})
