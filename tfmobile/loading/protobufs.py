"""Which of TensorFlow's protobuf messages a binary or text file holds, and the facts its head gives away."""

from __future__ import annotations

import re
from typing import NamedTuple

from tfmobile.graph.wire import BYTES, VARINT, Buffer, Field, WireError, fields

_OP = re.compile(rb"[A-Z_][A-Za-z0-9_>.]*\Z")
# First word of a text protobuf → message.
_TEXT = (
    (re.compile(r"(node|versions|library)\s*\{|version\s*:"), "graph"),
    (re.compile(r"(meta_info_def|graph_def|saver_def)\s*\{"), "meta-graph"),
    (re.compile(r"saved_model_schema_version\s*:|meta_graphs\s*\{"), "saved-model"),
)


class Message(NamedTuple):
    """``kind``: graph, meta-graph, saved-model, or onnx. ``damage``: why the bytes cannot be all of it, else empty."""

    kind: str
    damage: str = ""
    nodes: int = 0
    version: str = ""
    tags: tuple[str, ...] = ()
    has_objects: bool = False


def sniff_text(start: bytes) -> str | None:
    """The message that a text protobuf beginning with ``start`` holds: graph, meta-graph, saved-model, or None."""
    text = start.decode("utf-8", errors="ignore")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    body = "\n".join(lines).lstrip()
    return next((kind for pattern, kind in _TEXT if pattern.match(body)), None)


def sniff(data: Buffer) -> Message | None:
    """What a binary protobuf holds; None when it is none of TensorFlow's model messages (nor ONNX)."""
    found: list[Field] = []
    damage = ""
    try:
        for field in fields(data):
            found.append(field)
    except WireError as cause:
        if not cause.truncated and len(found) < 3:
            return None
        damage = "the file ends in the middle" if cause.truncated else f"it is damaged ({cause})"
        found += _cut_field(data, found)
    if not found:
        return None
    return _classify(data, found, damage)


def _cut_field(data: Buffer, whole: list[Field]) -> list[Field]:
    """The first field, when it is the one the truncated file ends in, as far as it goes."""
    if whole or data[0] != (1 << 3 | BYTES):
        return []
    return [Field(1, BYTES, 0, min(4, len(data)), len(data))]


def _classify(data: Buffer, found: list[Field], damage: str) -> Message | None:
    first = found[0]
    numbers = {field.number for field in found}
    if first.number == 1 and first.kind == VARINT:
        return _versioned(data, found, numbers, damage)
    nodes = [field for field in found if field.number == 1 and field.kind == BYTES]
    if nodes and _is_node(data, nodes[0]) and numbers <= {1, 2, 3, 4, 5}:
        return Message("graph", damage, nodes=len(nodes))
    if _is_meta_graph(data, found):
        return _meta(data, found, damage)
    if numbers <= {1, 2, 4} and not nodes and any(field.number == 4 for field in found):
        return Message("graph", damage)
    return None


def _versioned(data: Buffer, found: list[Field], numbers: set[int], damage: str) -> Message | None:
    if numbers & {7, 8} and found[0].value < 100:
        return Message("onnx", damage)
    graphs = [field for field in found if field.number == 2 and field.kind == BYTES]
    if numbers <= {1, 2} and found[0].value == 1:
        if not graphs:
            return Message("saved-model", damage or "it holds no graph")
        try:
            inner = list(fields(data, graphs[0].start, graphs[0].end))
        except WireError as cause:
            return Message("saved-model", damage or f"it is damaged ({cause})")
        return _meta(data, inner, damage)._replace(kind="saved-model")
    return None


def _is_node(data: Buffer, node: Field) -> bool:
    """Whether a field 1 is a NodeDef: a name (1) and an op (2) that is an identifier."""
    try:
        for field in fields(data, node.start, node.end):
            if field.number == 2 and field.kind == BYTES:
                return bool(_OP.match(bytes(data[field.start : field.end])))
            if field.number > 2 or field.kind != BYTES:
                return False
    except WireError:
        return False
    return False


def _is_meta_graph(data: Buffer, found: list[Field]) -> bool:
    for field in found:
        if field.number == 2 and field.kind == BYTES:
            inner = sniff(data[field.start : field.end])
            return inner is not None and inner.kind == "graph"
        if field.number != 1 or field.kind != BYTES:
            return False
    return False


def _meta(data: Buffer, found: list[Field], damage: str) -> Message:
    version, tags = "", []
    try:
        for info in found:
            if info.number == 1 and info.kind == BYTES:
                for field in fields(data, info.start, info.end):
                    if field.number == 5 and field.kind == BYTES:
                        version = _text(data, field)
                    if field.number == 4 and field.kind == BYTES:
                        tags.append(_text(data, field))
    except WireError as cause:
        damage = damage or f"it is damaged ({cause})"
    objects = any(field.number == 7 and field.end > field.start for field in found)
    return Message("meta-graph", damage, 0, version, tuple(tags), objects)


def _text(data: Buffer, field: Field) -> str:
    return bytes(data[field.start : field.end]).decode("utf-8", errors="replace")
