"""Weights that quantize-weights stored in 8 bits, read back as floats."""

from __future__ import annotations

import numpy as np

from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.match import attr_dtype, attr_text
from tfmobile.graph.model import Array, Graph, Node

_LEVELS = 255


def restored(graph: Graph) -> tuple[Graph, int]:
    """The graph with a float32 Const for each Dequantize (MIN_FIRST) of quint8 constants, and how many there were."""
    found = {node.name: value for node in graph if (value := _value(graph, node)) is not None}
    if not found:
        return graph, 0
    editor = GraphEditor(graph)
    for name, value in found.items():
        editor.replace(Node(name, "Const", (), graph.nodes[name].controls, constant(name, value).attrs))
    return editor.finish(), len(found)


def _value(graph: Graph, node: Node) -> Array | None:
    if node.op != "Dequantize" or attr_dtype(node) != "quint8" or attr_text(node, "mode", "") != "MIN_FIRST":
        return None
    codes, low, high = (graph.nodes[ref.node].value for ref in node.inputs)
    if codes is None or low is None or high is None or low.size != 1 or high.size != 1:
        return None
    step = (float(high.item()) - float(low.item())) / _LEVELS
    start = np.rint(float(low.item()) / step) * step if step else float(low.item())
    return np.asarray(start + codes.view(np.uint8).astype(np.float64) * step).astype(np.float32)
