"""Graphs for TensorFlow without their large constants, which it would copy several times over while it reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tfmobile.graph.attributes import LARGE, dtype_name
from tfmobile.graph.model import Array, DType, Graph, Node, ShapeAttr

_TEXT = DType("string")


def lifted(graph: Graph, limit_bytes: int = LARGE) -> tuple[Graph, Mapping[str, Array]]:
    """The graph with Placeholders for its constants of ``limit_bytes`` and more, and what to feed them, by name.

    A constant with control edges stays: they tell in which branch or loop it is alive. So does a fill of one value,
    which takes no room.
    """
    inputs = {spec.ref.node for spec in graph.inputs}
    found = {
        node.name: value
        for node in graph
        if (value := node.value) is not None
        and value.nbytes >= limit_bytes
        and not node.controls
        and node.name not in inputs
        and value.flags.c_contiguous
        and node.attrs.get("dtype") == DType(dtype_name(value)) != _TEXT
    }
    if not found:
        return graph, {}
    placeholders = {name: _placeholder(graph.nodes[name], value) for name, value in found.items()}
    return dataclasses.replace(graph, nodes={**graph.nodes, **placeholders}), found


def _placeholder(node: Node, value: Array) -> Node:
    attrs = {"dtype": node.attrs["dtype"], "shape": ShapeAttr(value.shape)}
    return Node(node.name, "Placeholder", attrs=attrs, device=node.device)
