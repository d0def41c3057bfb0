"""Shapes of all tensors, as far as TensorFlow knows the ops."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from tfmobile.errors import ModelError, UnsupportedError
from tfmobile.graph.functions import Library
from tfmobile.graph.model import Graph, Shape, ShapeAttr, TensorRef
from tfmobile.graph.shapes import infer_shapes
from tfmobile.inspection.not_convertible import is_unknown

Shapes = Mapping[TensorRef, Shape]


def known_shapes(graph: Graph, notes: list[str]) -> Shapes:
    """By TensorFlow's inference; behind an op that TensorFlow does not have, none. ``notes`` gets what is missing."""
    unknown = unknown_ops(graph)
    if unknown:
        listed = ", ".join(f"'{name}' ({op})" for name, op in list(unknown.items())[:4])
        notes.append(f"TensorFlow does not have the op of {listed}: shapes behind it, and MACs there, are not known.")
        graph = _without(graph, _behind(graph, unknown))
    try:
        # TensorFlow takes a scalar of an old graph for a shape that is not known.
        return {**infer_shapes(graph), **{spec.ref: spec.shape for spec in graph.inputs}}
    except (UnsupportedError, ModelError) as error:
        notes.append(f"Shapes, and with them MACs, are not known: {error.what} {error.why}".strip())
        return placeholder_shapes(graph)


def unknown_ops(graph: Graph) -> dict[str, str]:
    """The nodes whose op is neither TensorFlow's nor a function of the library, with their ops."""
    suspects = {node.name: node.op for node in graph if is_unknown(node.op)}
    if not suspects:
        return {}
    library = Library(graph.library)
    return {name: op for name, op in suspects.items() if op not in library}


def placeholder_shapes(graph: Graph) -> dict[TensorRef, Shape]:
    """What is known of shapes without TensorFlow's inference: inputs and constants."""
    found: dict[TensorRef, Shape] = {spec.ref: spec.shape for spec in graph.inputs}
    for node in graph:
        value, shape = node.value, node.attrs.get("shape")
        if value is not None:
            found[TensorRef(node.name)] = value.shape
        elif isinstance(shape, ShapeAttr):
            found.setdefault(TensorRef(node.name), shape.dims)
    return found


def _behind(graph: Graph, start: Iterable[str]) -> set[str]:
    """``start``, and all that depends on it."""
    readers = graph.consumers()
    found = set(start)
    waiting = list(found)
    while waiting:
        for node in readers[waiting.pop()]:
            if node.name not in found:
                found.add(node.name)
                waiting.append(node.name)
    return found


def _without(graph: Graph, names: set[str]) -> Graph:
    return dataclasses.replace(
        graph,
        nodes={name: node for name, node in graph.nodes.items() if name not in names},
        inputs=tuple(spec for spec in graph.inputs if spec.ref.node not in names),
        outputs=tuple(spec for spec in graph.outputs if spec.ref.node not in names),
    )
