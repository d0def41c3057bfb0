"""Parameters and MACs of a graph, by the node that uses them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tfmobile.graph.edit import in_order
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.inspection import multiplies
from tfmobile.inspection.facts import LayerFact
from tfmobile.inspection.known_shapes import Shapes

_PARAMETER_KINDS = ("bfloat16", "float8", "qint", "quint", "int4")


def needed(graph: Graph) -> list[Node]:
    """The nodes that the outputs depend on, each after all it reads; all nodes of a graph without outputs."""
    if not graph.outputs:
        return in_order(graph)
    waiting = [spec.ref.node for spec in graph.outputs]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name not in graph.nodes:
            continue
        found.add(name)
        node = graph.nodes[name]
        waiting += [ref.node for ref in node.inputs] + list(node.controls)
    return [node for node in in_order(graph) if node.name in found]


def layers(graph: Graph, nodes: Iterable[Node], shapes: Shapes) -> tuple[LayerFact, ...]:
    """The nodes that own parameters or multiply. A constant that many read belongs to the first of them.

    What computes on constants only (a folded batch normalization, a transposed kernel) is part of the layer it feeds.
    """
    kept = list(nodes)
    constant = constants(kept)
    owned: set[str] = set()
    found = []
    for node in kept:
        if node.name in constant:
            continue
        weights = list(_leaves(graph, node, constant, owned))
        output = shapes.get(TensorRef(node.name))
        inputs = [shapes.get(ref) for ref in node.inputs]
        macs = multiplies.count(multiplies.TENSORFLOW, node.op, inputs, output, node.attrs)
        if not weights and macs == 0:
            continue
        found.append(
            LayerFact(
                name=node.name,
                op=node.op,
                shape=output,
                parameters=sum(weight.size for weight in weights),
                parameter_bytes=sum(weight.size * weight.dtype.itemsize for weight in weights),
                macs=macs,
                dtype=_dtype(node),
            )
        )
    return tuple(found)


def constants(nodes: Iterable[Node]) -> set[str]:
    """The names of nodes whose value depends on constants only. ``nodes`` come in order."""
    found: set[str] = set()
    for node in nodes:
        if node.op == "Const" or (node.inputs and all(ref.node in found for ref in node.inputs)):
            found.add(node.name)
    return found


def _leaves(graph: Graph, node: Node, constant: set[str], owned: set[str]) -> Iterable[Array]:
    waiting = [ref.node for ref in node.inputs if ref.node in constant]
    while waiting:
        name = waiting.pop()
        if name in owned:
            continue
        owned.add(name)
        source = graph.nodes[name]
        waiting += [ref.node for ref in source.inputs]
        value = source.value
        if value is not None and _is_parameter(value):
            yield value


def _is_parameter(value: Array) -> bool:
    if value.ndim == 0 or math.prod(value.shape) == 0:
        return False  # an epsilon, a scale, an axis
    return value.dtype.kind == "f" or value.dtype.name.startswith(_PARAMETER_KINDS)


def _dtype(node: Node) -> str:
    found = node.attrs.get("T", node.attrs.get("dtype"))
    return found.name if isinstance(found, DType) else ""
