"""``inspect`` of a TensorFlow model: what its graph is made of. Nothing in it is executed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable

from tfmobile.artifacts import SourceModel
from tfmobile.errors import ModelError, UnsupportedError, UsageError
from tfmobile.graph.model import Graph, Node, TensorSpec
from tfmobile.inspection import training_only
from tfmobile.inspection.batch_norms import batch_norms
from tfmobile.inspection.facts import GraphInspection, OpCount, PortFact
from tfmobile.inspection.graph_layers import Shapes, layers, needed, placeholder_shapes
from tfmobile.inspection.not_convertible import reasons

_WITHOUT_SIGNATURE = ("frozen-graph", "checkpoint")


def inspect_graph(source: SourceModel) -> GraphInspection:
    """Nodes, operators, parameters, MACs and size by layer of what ``load`` found; counts what the outputs need.

    Raises UsageError when ``source`` is a .tflite (see ``inspect_tflite``).
    """
    graph = source.graph
    if graph is None:
        raise UsageError(f"'{source.path}' has no graph.", fixes=["Use inspect_tflite for a .tflite."])
    nodes = needed(graph)
    notes = list(source.notes)
    shapes = _shapes(graph, notes)
    found = layers(graph, nodes, shapes)
    unknown = [layer.name for layer in found if layer.macs is None]
    if unknown:
        notes.append(
            f"The MACs of {len(unknown)} of {len(found)} layers are not counted, because a shape is not known "
            f"({unknown[0]}, …)."
        )
    return GraphInspection(
        path=source.path,
        format=source.format,
        summary=source.summary,
        sha256=source.sha256,
        size_bytes=source.size_bytes,
        signature=source.signature,
        signatures=source.signatures,
        inputs=tuple(map(_port, graph.inputs)),
        outputs=tuple(map(_port, graph.outputs)),
        nodes=len(nodes),
        ops=_histogram(nodes),
        parameters=sum(layer.parameters for layer in found),
        parameter_bytes=sum(layer.parameter_bytes for layer in found),
        macs=sum(layer.macs or 0 for layer in found),
        layers=found,
        training_only=training_only.group(nodes, training_only.OPS.get),
        batch_norms=batch_norms(graph, nodes),
        not_convertible=training_only.group(nodes, reasons().get),
        command=command(source, graph),
        notes=tuple(notes),
    )


def _shapes(graph: Graph, notes: list[str]) -> Shapes:
    from tfmobile.graph.shapes import infer_shapes

    try:
        return infer_shapes(graph)
    except (UnsupportedError, ModelError) as error:
        notes.append(f"Shapes, and with them MACs, are not known: {error.what} {error.why}".strip())
        return placeholder_shapes(graph)


def _port(spec: TensorSpec) -> PortFact:
    return PortFact(spec.key, str(spec.ref), spec.dtype, spec.shape)


def _histogram(nodes: Iterable[Node]) -> tuple[OpCount, ...]:
    counts = Counter(node.op for node in nodes)
    return tuple(OpCount(op, count) for op, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def command(source: SourceModel, graph: Graph) -> str:
    """The command that optimizes this model as it was opened here, with a place for the data."""
    words = ["tfmobile", "optimize", source.path]
    if len(source.signatures) > 1 and source.signature:
        words += ["--signature", source.signature]
    if source.format in _WITHOUT_SIGNATURE:
        words += [word for spec in graph.inputs for word in ("--input", str(spec.ref))]
        words += [word for spec in graph.outputs for word in ("--output", str(spec.ref))]
    return shlex.join([*words, "--recipe", "int8", "--data"]) + " DATA"
