"""New layers in the place of old ones: their weights, their bias, and the nodes that follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import LINEAR_OPS
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, DType, Node, TensorRef


def rounded(layer: Node, weights: Array) -> Array:
    """``weights`` in the type that the layer computes in."""
    kind = layer.attrs.get("T", DType("float32"))
    if kind.name == "bfloat16":
        import ml_dtypes

        return weights.astype(ml_dtypes.bfloat16)
    return weights.astype(np.dtype(kind.name))


def new_weights(editor: GraphEditor, layer: Node, weights: Array) -> TensorRef:
    """New weights for ``layer``, as a constant."""
    return editor.add_constant(
        f"{layer.name}/folded_weights", weights, beside=layer.name, controls=waits_of(editor, layer)
    )


def waits_of(editor: GraphEditor, layer: Node) -> tuple[str, ...]:
    """What the layer's weights wait for: inside a loop, all constants must."""
    return source(editor, layer.inputs[LINEAR_OPS[layer.op].weights]).controls


def bias_node(layer: Node, channels_first: bool) -> Node:
    """The BiasAdd for a layer's output, still without inputs."""
    layout = b"NCHW" if channels_first else b"NHWC"
    attrs = {"T": layer.attrs.get("T", DType("float32")), "data_format": layout}
    return Node(f"{layer.name}/bias", "BiasAdd", attrs=attrs, device=layer.device)


def rebuilt(
    editor: GraphEditor,
    nodes: Sequence[tuple[Node, str]],
    name: str,
    controls: tuple[str, ...] = (),
    bias: Array | None = None,
) -> TensorRef:
    """Put ``nodes`` one after the other, each beside the node it is paired with; the first one has its inputs.

    The last one is called ``name``, in the place of the node of that name if there is one, and waits for ``controls``
    too. All others get new names. A BiasAdd without inputs adds ``bias``.
    """
    last, beside = nodes[-1]
    last = dataclasses.replace(last, controls=tuple(dict.fromkeys((*last.controls, *controls))))
    nodes = [*nodes[:-1], (last, name if name in editor else beside)]
    previous: TensorRef | None = None
    for place, (node, beside) in enumerate(nodes):
        if previous is not None:
            added = (_bias(editor, name, bias, beside, nodes[0][0]),) if not node.inputs and bias is not None else ()
            node = dataclasses.replace(node, inputs=(previous, *node.inputs[1:], *added))
        previous = _put(editor, node, name if place == len(nodes) - 1 else "", beside)
    assert previous is not None
    return previous


def _bias(editor: GraphEditor, name: str, bias: Array, beside: str, layer: Node) -> TensorRef:
    return editor.add_constant(f"{name}/folded_bias", bias, beside=beside, controls=waits_of(editor, layer))


def _put(editor: GraphEditor, node: Node, name: str, beside: str) -> TensorRef:
    """Add the node under ``name``, or in the place of the node of that name; without a name, under a new one."""
    if name in editor:
        editor.replace(dataclasses.replace(node, name=name))
        return TensorRef(name)
    named = dataclasses.replace(node, name=editor.fresh(name or f"{node.name}/folded"))
    return TensorRef(editor.add(named, beside=beside).name)
