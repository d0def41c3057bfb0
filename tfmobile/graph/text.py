"""A graph as text, for people and for tests: one line a node, small constants in full, large ones by their hash.

    input image: float32[1,4,4,3] = x
    output probs: float32[1,2] = y
    x = Placeholder {dtype=float32, shape=[1,4,4,3]}
    w = Const int32[2] (1, 2)
    y = Conv2D(x, w:1, ^after) {padding="SAME", strides=(1, 1, 1, 1)} @"/cpu:0"

``parse`` reads what ``print_graph`` writes; a constant given by its hash cannot be read back. The function library is
not part of the text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np

from tfmobile.graph.attributes import dtype_name
from tfmobile.graph.model import Array, Attr, DType, Graph, Node, RawAttr, Shape, ShapeAttr, TensorSpec

INLINE_LIMIT = 32
"""Constants of up to this many values are written in full."""


def print_graph(graph: Graph, *, inline: int = INLINE_LIMIT) -> str:
    """The text of ``graph``."""
    return "\n".join(_lines(graph, inline)) + "\n"


def _lines(graph: Graph, inline: int) -> Iterator[str]:
    for kind, specs in (("input", graph.inputs), ("output", graph.outputs)):
        for spec in specs:
            yield _spec_line(kind, spec)
    for node in graph:
        yield _node_line(node, inline)


def _spec_line(kind: str, spec: TensorSpec) -> str:
    return f"{kind} {spec.key}: {spec.dtype}{shape_text(spec.shape)} = {spec.ref}"


def _node_line(node: Node, inline: int) -> str:
    edges = [*(str(ref) for ref in node.inputs), *(f"^{name}" for name in node.controls)]
    text = f"{node.name} = {node.op}"
    if edges:
        text += f"({', '.join(edges)})"
    attrs = dict(node.attrs)
    value = node.value
    if value is not None:
        del attrs["value"]
        if attrs.get("dtype") == DType(dtype_name(value)):
            del attrs["dtype"]
        text += f" {array_text(value, inline)}"
    if attrs:
        text += " {" + ", ".join(f"{key}={attr_text(attrs[key], inline)}" for key in sorted(attrs)) + "}"
    return f"{text} @{json.dumps(node.device)}" if node.device else text


def shape_text(shape: Shape) -> str:
    """``[1,?,3]``, or ``[*]`` for unknown rank."""
    if shape is None:
        return "[*]"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"


def array_text(value: Array, inline: int = INLINE_LIMIT) -> str:
    """``float32[2] (1.0, 2.5)``; ``float32[64] (0.0 ...)`` for a fill; ``float32[64] sha256:…`` when large."""
    head = f"{dtype_name(value)}[{','.join(map(str, value.shape))}]"
    value = value if value.dtype.names is None else value.view(value.dtype[0])
    if value.size > 1 and all(stride == 0 for stride, size in zip(value.strides, value.shape, strict=True) if size > 1):
        return f"{head} ({_number(value[(0,) * value.ndim])} ...)"
    if value.size <= inline:
        return f"{head} ({', '.join(_number(item) for item in value.ravel())})"
    content = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
    return f"{head} sha256:{hashlib.sha256(content).hexdigest()[:12]}"


def attr_text(value: Attr, inline: int = INLINE_LIMIT) -> str:
    """An attribute's value."""
    if isinstance(value, tuple):
        return "(" + ", ".join(attr_text(item) for item in value) + ")"
    if isinstance(value, DType):
        return value.name
    if isinstance(value, ShapeAttr):
        return shape_text(value.dims)
    if isinstance(value, RawAttr):
        return f"raw:{value.data.hex()}"
    if isinstance(value, np.ndarray):
        return array_text(value, inline)
    return _number(value)


def _number(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (bytes, str)):
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        return json.dumps(text)
    if isinstance(value, np.complexfloating):
        return repr(value.item()).strip("()")
    if isinstance(value, np.generic):
        return repr(value.item()) if value.dtype.itemsize >= 8 or value.dtype.kind in "iu" else _short(value)
    return repr(value)


def _short(value: np.generic) -> str:
    """The shortest text that reads back as the same float32 or smaller."""
    return repr(float(str(value.astype(np.float32))))
