"""A graph made for one sample, for any number of samples at once."""

from __future__ import annotations

import dataclasses

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import source
from tfmobile.graph.model import Graph, Node, ShapeAttr


def batchable(graph: Graph) -> Graph | None:
    """The graph with a dynamic first dimension; None when its inputs do not begin with 1.

    Placeholders, and constant shapes of Reshape that begin with 1, are all that is changed. Whether the samples are
    then independent has to be tried.
    """
    if not all(spec.shape and spec.shape[0] in (1, None) for spec in (*graph.inputs, *graph.outputs)):
        return None
    editor = GraphEditor(graph)
    for spec in graph.inputs:
        node = editor[spec.ref.node]
        if node.op != "Placeholder" or spec.shape is None:
            return None
        editor.update(node.name, attrs={**node.attrs, "shape": ShapeAttr((None, *spec.shape[1:]))})
    for node in list(editor):
        if node.op == "Reshape":
            _free(editor, node)
    inputs = tuple(dataclasses.replace(spec, shape=(None, *(spec.shape or ())[1:])) for spec in graph.inputs)
    outputs = tuple(dataclasses.replace(spec, shape=(None, *(spec.shape or ())[1:])) for spec in graph.outputs)
    return dataclasses.replace(editor.finish(prune=False), inputs=inputs, outputs=outputs)


def _free(editor: GraphEditor, node: Node) -> None:
    """Let a Reshape to ``[1, …]`` keep as many samples as it is given."""
    shape = source(editor, node.inputs[1]).value
    if source(editor, node.inputs[0]).value is not None or shape is None or shape.ndim != 1 or not shape.size:
        return
    if shape[0] == 1 and (shape > 0).all():
        freed = shape.copy()
        freed[0] = -1
        ref = editor.add_constant(f"{node.name}/free_shape", freed, beside=node.name)
        editor.update(node.name, inputs=(node.inputs[0], ref))
