"""A GraphDef as it is written, every node of it: for editing rather than for running.

Nothing is pruned, inlined or cleaned, and open dimensions stay open. Only placeholders that tell training from
inference, when nobody feeds them, become constants: nothing could be verified otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmobile.graph.model import Graph, Shape, TensorRef, TensorSpec
from tfmobile.loading import operations
from tfmobile.loading.edges import needed
from tfmobile.loading.endpoints import resolve
from tfmobile.loading.freeze import guess_notes, infer, placeholder_shape, settle_phases
from tfmobile.loading.guess import guess_inputs, guess_outputs
from tfmobile.loading.options import End, Options
from tfmobile.loading.quiet import tensorflow
from tfmobile.loading.shapes import InputShapes


def verbatim(graph_def: Any, path: str, options: Options) -> tuple[Graph, tuple[str, ...]]:
    """The graph with its ends, and notes for the user; raises ModelError, UntrustedModelError, UnsupportedError."""
    from tfmobile.graph.graphdef import from_graph_def

    operations.check_trusted(graph_def, path, trust=options.trust)
    outputs = resolve(options.outputs, graph_def, (), "output", path) or guess_outputs(graph_def, path)
    inputs = resolve(options.inputs, graph_def, (), "input", path)
    guessed = inputs or guess_inputs(needed(graph_def, [end.ref.node for end in outputs], path))
    notes = guess_notes([] if inputs else guessed, outputs, not options.outputs)
    notes += settle_phases(graph_def, guessed)
    return from_graph_def(graph_def, *_specs(graph_def, guessed, outputs, options)), notes


def _specs(
    graph_def: Any, inputs: Sequence[End], outputs: Sequence[End], options: Options
) -> tuple[list[TensorSpec], list[TensorSpec]]:
    wanted = InputShapes(options.input_shape).take([(end.key, end.ref.node, str(end.ref)) for end in inputs])
    facts = _facts(graph_def, [end.ref for end in (*inputs, *outputs)])
    ins = [
        TensorSpec(end.key, end.ref, kind, ask if ask is not None else _shape(graph_def, end, shape))
        for end, ask, (kind, shape) in zip(inputs, wanted, facts, strict=False)
    ]
    outs = [
        TensorSpec(end.key, end.ref, kind, shape)
        for end, (kind, shape) in zip(outputs, facts[len(inputs) :], strict=True)
    ]
    return ins, outs


def _facts(graph_def: Any, refs: Sequence[TensorRef]) -> list[tuple[str, Shape]]:
    """dtype and shape of edges; float32 of unknown shape for what TensorFlow cannot tell (an op it does not have)."""
    tf = tensorflow()
    try:
        return [(str(tf.as_dtype(kind).name), shape) for kind, shape in infer(graph_def, refs)]
    except Exception:  # whatever is wrong with the graph is for the passes and their verification to meet
        nodes = {node.name: node for node in graph_def.node}
        return [(_attribute_type(nodes[ref.node]), None) for ref in refs]


def _attribute_type(node: Any) -> str:
    tf = tensorflow()
    for key in ("dtype", "T", "DstT"):
        if node.attr[key].type if key in node.attr else 0:
            return str(tf.as_dtype(node.attr[key].type).name)
    return "float32"


def _shape(graph_def: Any, end: End, inferred: Shape) -> Shape:
    node = next(node for node in graph_def.node if node.name == end.ref.node)
    return placeholder_shape(node, end, graph_def.versions.producer) if node.op == "Placeholder" else inferred
