"""A layer with its bias and activation, or arithmetic with its activation: the converter makes one int8 op of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS, is_channel_first
from tfmobile.graph.match import PASS_THROUGH, source
from tfmobile.graph.model import Node, TensorRef
from tfmobile.scheme.int8 import FUSED, FUSING, LAYERS, SUMS


@dataclass(frozen=True)
class Fusion:
    """One op: it ends with the node ``tail``, and ``inner`` are all its nodes but the first.

    ``bias`` is the node that adds one, and the constant; ``activation`` the op of the activation; ``batch_norm`` says
    that one is folded into it.
    """

    tail: str
    inner: tuple[str, ...] = ()
    bias: tuple[str, TensorRef] | None = None
    activation: str = ""
    batch_norm: bool = False


def fusion(editor: GraphEditor, head: Node) -> Fusion:
    """What begins with ``head``: a layer, a bias, a batch norm, an activation; or arithmetic and an activation."""
    found = Fusion(head.name)
    if head.op in LAYERS:
        found = _with_batch_norm(editor, _with_bias(editor, head, found))
    return _with_activation(editor, found) if head.op in FUSING else found


def _with_bias(editor: GraphEditor, head: Node, found: Fusion) -> Fusion:
    """One constant a channel, or one for all; a sum can only add it where the channels are the last axis."""
    reader, copies = _only_reader(editor, found.tail)
    if reader is None or (reader.op != "BiasAdd" and (reader.op not in SUMS or is_channel_first(head))):
        return found
    for ref in reader.inputs:
        value = source(editor, ref).value
        if value is not None and value.size == max((1, *value.shape[-1:])):
            return _grown(found, reader, copies, bias=(reader.name, ref))
    return found


def _with_batch_norm(editor: GraphEditor, found: Fusion) -> Fusion:
    reader, copies = _only_reader(editor, found.tail)
    is_one = reader is not None and reader.op in BATCH_NORMS and source(editor, reader.inputs[0]).name == found.tail
    return _grown(found, reader, copies, batch_norm=True) if reader is not None and is_one else found


def _with_activation(editor: GraphEditor, found: Fusion) -> Fusion:
    reader, copies = _only_reader(editor, found.tail)
    if reader is None or reader.op not in FUSED:
        return found
    return _grown(found, reader, copies, activation=reader.op)


def _grown(found: Fusion, reader: Node, copies: list[str], **more: Any) -> Fusion:
    return dataclasses.replace(found, tail=reader.name, inner=(*found.inner, *copies, reader.name), **more)


def _only_reader(editor: GraphEditor, name: str) -> tuple[Node | None, list[str]]:
    """The one node that reads what the node gives, and the copies on the way to it."""
    copies: list[str] = []
    reader = editor.only_reader(TensorRef(name))
    while reader is not None and reader.op in PASS_THROUGH:
        copies.append(reader.name)
        reader = editor.only_reader(TensorRef(reader.name))
    return reader, copies
