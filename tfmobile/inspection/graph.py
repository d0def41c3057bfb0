"""``inspect`` of a TensorFlow model: what its graph is made of. Nothing in it is executed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfmobile.artifacts import PassResult, SourceModel
from tfmobile.errors import UsageError
from tfmobile.graph.model import DType, Node, TensorRef, TensorSpec
from tfmobile.graph.text import array_text
from tfmobile.inspection import training_only
from tfmobile.inspection.batch_norms import batch_norms
from tfmobile.inspection.commands import optimize_command, transform_command, where_to_cut
from tfmobile.inspection.facts import GraphInspection, LayerFact, NodeFact, OpCount, PortFact, WrittenFacts
from tfmobile.inspection.graph_layers import constants, layers, needed
from tfmobile.inspection.known_shapes import Shapes, known_shapes, unknown_ops
from tfmobile.inspection.not_convertible import reasons
from tfmobile.inspection.target_fit import graph_targets
from tfmobile.inspection.written import histogram, written_facts

_UNKNOWN = "TensorFlow has no such op: a custom one, or of another package"
_SHORT = 8


def inspect_graph(
    source: SourceModel,
    *,
    written: WrittenFacts | None = None,
    folded: PassResult | None = None,
    structure: bool = False,
) -> GraphInspection:
    """Nodes, operators, parameters, MACs and size by layer of what ``load`` found; counts what the outputs need.

    ``written`` is what the graph was before anything was cut away, ``folded`` what fold-batch-norms makes of it now.
    ``structure`` lists every node. Raises UsageError when ``source`` is a .tflite (see ``inspect_tflite``).
    """
    graph = source.graph
    if graph is None:
        raise UsageError(f"'{source.path}' has no graph.", fixes=["Use inspect_tflite for a .tflite."])
    nodes = needed(graph)
    notes = list(source.notes)
    shapes = known_shapes(graph, notes)
    found = layers(graph, nodes, shapes)
    notes += _not_counted(found)
    why = {**dict.fromkeys(unknown_ops(graph).values(), _UNKNOWN), **reasons()}
    blocking = training_only.group(nodes, why.get)
    constant = constants(nodes)
    cut = where_to_cut(graph, nodes, constant, found, (node.name for node in nodes if node.op in why))
    notes += [f"The command is for the graph {cut.why}."] if cut.why else []
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
        ops=_with_costs(histogram(node.op for node in nodes), found),
        parameters=sum(layer.parameters for layer in found),
        parameter_bytes=sum(layer.parameter_bytes for layer in found),
        macs=sum(layer.macs or 0 for layer in found),
        layers=found,
        training_only=training_only.group(nodes, training_only.OPS.get),
        batch_norms=batch_norms(graph, nodes, folded),
        not_convertible=blocking,
        written=written_facts(graph) if written is None else written,
        targets=graph_targets(graph, nodes, constant, shapes, blocking),
        command=optimize_command(source, graph, cut),
        transform_command=transform_command(source, graph),
        structure=tuple(_node_fact(node, shapes) for node in nodes) if structure else (),
        notes=tuple(notes),
    )


def _not_counted(found: Sequence[LayerFact]) -> Iterable[str]:
    unknown = [layer.name for layer in found if layer.macs is None]
    if unknown:
        yield (
            f"The MACs of {len(unknown)} of {len(found)} layers are not counted, because a shape is not known "
            f"({unknown[0]}{', …' if len(unknown) > 1 else ''})."
        )


def _port(spec: TensorSpec) -> PortFact:
    return PortFact(spec.key, str(spec.ref), spec.dtype, spec.shape)


def _with_costs(ops: Iterable[OpCount], found: Iterable[LayerFact]) -> tuple[OpCount, ...]:
    own: dict[str, list[LayerFact]] = {}
    for layer in found:
        own.setdefault(layer.op, []).append(layer)
    return tuple(one.owning(own.get(one.op, ())) for one in ops)


def _node_fact(node: Node, shapes: Shapes) -> NodeFact:
    value = node.value
    dtype = node.attrs.get("T", node.attrs.get("dtype"))
    return NodeFact(
        name=node.name,
        op=node.op,
        inputs=(*map(str, node.inputs), *(f"^{name}" for name in node.controls)),
        dtype=dtype.name if isinstance(dtype, DType) else "",
        shape=shapes.get(TensorRef(node.name)),
        detail="" if value is None else array_text(value, _SHORT),
        device=node.device,
    )
