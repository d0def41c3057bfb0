"""A GraphDef as it is written, every node of it: for editing rather than for running.

Nothing is pruned, inlined or cleaned, and open dimensions stay open. Only placeholders that tell training from
inference, when nobody feeds them, become constants: nothing could be verified otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfmobile.graph.match import attr_dtype
from tfmobile.graph.model import Graph, Node, Shape, TensorRef, TensorSpec
from tfmobile.loading import operations
from tfmobile.loading.edges import needed
from tfmobile.loading.endpoints import resolve
from tfmobile.loading.freeze import guess_notes, infer, placeholder_shape, settle_phases
from tfmobile.loading.guess import guess_inputs, guess_outputs
from tfmobile.loading.options import End, Options
from tfmobile.loading.quiet import tensorflow
from tfmobile.loading.shapes import InputShapes

_MOST_NODES = 10_000


def verbatim(graph_def: Any, path: str, options: Options) -> tuple[Graph, tuple[str, ...]]:
    """The graph of a GraphDef, or of its bytes, with its ends, and notes for the user.

    The weights are held once: all that is asked of TensorFlow is asked of a skeleton without them. Raises ModelError,
    UntrustedModelError, UnsupportedError.
    """
    from tfmobile.graph.graphdef import from_graph_def

    graph = from_graph_def(graph_def)
    skeleton = _skeleton(graph)
    operations.check_trusted(skeleton, path, trust=options.trust)
    outputs = resolve(options.outputs, skeleton, (), "output", path) or guess_outputs(skeleton, path)
    asked = resolve(options.inputs, skeleton, (), "input", path)
    inputs = asked or guess_inputs(needed(skeleton, [end.ref.node for end in outputs], path))
    notes = guess_notes([] if asked else inputs, outputs, not options.outputs)
    notes += settle_phases(skeleton, inputs)
    graph = _settled(graph, skeleton)
    ins, outs = _specs(graph, skeleton, inputs, outputs, options)
    return dataclasses.replace(graph, inputs=tuple(ins), outputs=tuple(outs)), notes


def _skeleton(graph: Graph) -> Any:
    """The GraphDef, large constants without their values."""
    from tfmobile.graph.attributes import LARGE
    from tfmobile.graph.graphdef import to_graph_def

    bare = {
        node.name: Node(node.name, "Const", controls=node.controls, attrs={"dtype": node.attrs["dtype"]})
        for node in graph
        if node.value is not None and node.value.nbytes >= LARGE
    }
    return to_graph_def(dataclasses.replace(graph, nodes={**graph.nodes, **bare}))


def _settled(graph: Graph, skeleton: Any) -> Graph:
    """The graph with the constants that ``settle_phases`` made of placeholders."""
    from tfmobile.graph.graphdef import from_graph_def

    made = [node for node in skeleton.node if node.op == "Const" and graph.nodes[node.name].op == "Placeholder"]
    if not made:
        return graph
    return dataclasses.replace(graph, nodes={**graph.nodes, **from_graph_def(type(skeleton)(node=made)).nodes})


def _specs(
    graph: Graph, skeleton: Any, inputs: Sequence[End], outputs: Sequence[End], options: Options
) -> tuple[list[TensorSpec], list[TensorSpec]]:
    wanted = InputShapes(options.input_shape).take([(end.key, end.ref.node, str(end.ref)) for end in inputs])
    facts = _facts(graph, [end.ref for end in (*inputs, *outputs)], len(inputs))
    ins = [
        TensorSpec(end.key, end.ref, kind, ask if ask is not None else _shape(skeleton, end, shape))
        for end, ask, (kind, shape) in zip(inputs, wanted, facts, strict=False)
    ]
    outs = [
        TensorSpec(end.key, end.ref, kind, shape)
        for end, (kind, shape) in zip(outputs, facts[len(inputs) :], strict=True)
    ]
    return ins, outs


def _facts(graph: Graph, refs: Sequence[TensorRef], inputs: int) -> list[tuple[str, Shape]]:
    """dtype and shape of edges; float32 of unknown shape for what TensorFlow cannot tell (an op it does not have).

    Shapes of outputs in a very large graph stay unknown: TensorFlow's graph of it takes more room than its weights.
    """
    if len(graph) > _MOST_NODES and all(graph.nodes[ref.node].op == "Placeholder" for ref in refs[:inputs]):
        return [(_type(graph, ref), None) for ref in refs]
    from tfmobile.graph.graphdef import to_graph_def
    from tfmobile.graph.large_constants import lifted

    tf = tensorflow()
    try:
        return [(str(tf.as_dtype(kind).name), shape) for kind, shape in infer(to_graph_def(lifted(graph)[0]), refs)]
    except Exception:  # whatever is wrong with the graph is for the passes and their verification to meet
        return [(_type(graph, ref), None) for ref in refs]


def _type(graph: Graph, ref: TensorRef) -> str:
    """The dtype as the op declares it, else as the node's attributes suggest."""
    from tfmobile.graph.ops import output_dtypes

    node = graph.nodes[ref.node]
    kinds = output_dtypes(node) or ()
    if ref.index < len(kinds):
        return kinds[ref.index]
    return next((name for key in ("dtype", "T", "DstT") if (name := attr_dtype(node, key))), "float32")


def _shape(graph_def: Any, end: End, inferred: Shape) -> Shape:
    node = next(node for node in graph_def.node if node.name == end.ref.node)
    return placeholder_shape(node, end, graph_def.versions.producer) if node.op == "Placeholder" else inferred
