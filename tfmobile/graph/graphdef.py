"""GraphDef to Graph and back: the border to TensorFlow's protocol buffers.

Colocation (``_class``) and stored shapes (``_output_shapes``) are dropped: they mean nothing for a frozen model, and go
stale when a pass rewires it. So are attributes that hold no value.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.graph.attributes import decode_attr, encode_attr
from tfmobile.graph.model import Graph, Node, TensorRef, TensorSpec
from tfmobile.graph.wire import BYTES, WireError, fields

_STALE = frozenset({"_class", "_output_shapes"})
_NODE = 1
"""The number of the field GraphDef.node."""


def _is_kept(key: str, value: Any) -> bool:
    """Freezing leaves attributes without any value behind, which say nothing."""
    return key not in _STALE and value.WhichOneof("value") is not None


def from_graph_def(graph_def: Any, inputs: Sequence[TensorSpec] = (), outputs: Sequence[TensorSpec] = ()) -> Graph:
    """Read a GraphDef proto, or its bytes. Raises ModelError when it is not one, or its edges lead nowhere.

    Bytes take less memory: they are read node by node, so that no weight is held twice.
    """
    if isinstance(graph_def, (bytes, bytearray, memoryview)):
        items, proto = _read(memoryview(graph_def))
    else:
        items, proto = graph_def.node, graph_def
    nodes: dict[str, Node] = {}
    for item in items:
        if item.name in nodes:
            raise _broken(f"Two nodes are called '{item.name}'.")
        nodes[item.name] = _node(item)
    library = proto.library.SerializeToString(deterministic=True) if proto.HasField("library") else b""
    graph = Graph(
        nodes=nodes,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        library=library,
        producer=proto.versions.producer,
        min_consumer=proto.versions.min_consumer,
    )
    check_edges(graph)
    return graph


def to_graph_def(graph: Graph) -> Any:
    """The GraphDef proto of ``graph``. Inputs and outputs are not part of it."""
    proto = _without_nodes(graph)
    for node in graph:
        _add(proto, node)
    return proto


def serialize(graph: Graph) -> bytes:
    """The GraphDef's bytes: the same graph always gives the same bytes."""
    return b"".join(serialized_parts(graph))


def serialized_parts(graph: Graph) -> Iterator[bytes]:
    """The GraphDef's bytes, one node after the other, so that a file can be written without holding all of it."""
    from tensorflow.core.framework import graph_pb2

    for node in graph:
        proto = graph_pb2.GraphDef()
        _add(proto, node)
        yield proto.SerializeToString(deterministic=True)
    yield _without_nodes(graph).SerializeToString(deterministic=True)


def _without_nodes(graph: Graph) -> Any:
    from tensorflow.core.framework import graph_pb2

    proto = graph_pb2.GraphDef()
    proto.versions.producer = graph.producer
    proto.versions.min_consumer = graph.min_consumer
    if graph.library:
        proto.library.ParseFromString(graph.library)
    return proto


def _add(proto: Any, node: Node) -> None:
    item = proto.node.add(name=node.name, op=node.op, device=node.device)
    item.input.extend(str(ref) for ref in node.inputs)
    item.input.extend(f"^{name}" for name in node.controls)
    for key in sorted(node.attrs):
        encode_attr(node.attrs[key], item.attr[key])


def check_edges(graph: Graph) -> None:
    """Raise ModelError when a node, an input or an output names a node that does not exist."""
    for node in graph:
        for name in _sources(node):
            if name not in graph.nodes:
                raise _broken(f"The node '{node.name}' reads '{name}', which does not exist.")
    for spec in (*graph.inputs, *graph.outputs):
        if spec.ref.node not in graph.nodes:
            raise ModelError(
                f"The model has no node '{spec.ref.node}'.",
                why=f"It was named as input or output '{spec.key}'.",
                fixes=["Run `tfmobile inspect MODEL` for the node names, and give one with --input or --output."],
            )


def _sources(node: Node) -> Iterable[str]:
    yield from (ref.node for ref in node.inputs)
    yield from node.controls


def _read(content: memoryview) -> tuple[Iterable[Any], Any]:
    """The NodeDefs, each parsed when its turn comes, and a GraphDef of all the rest, also of what cannot be read."""
    from tensorflow.core.framework import graph_pb2, node_def_pb2

    nodes: list[memoryview] = []
    rest = bytearray()
    at = 0
    with contextlib.suppress(WireError):
        for field in fields(content):
            if (field.number, field.kind) == (_NODE, BYTES):
                nodes.append(content[field.start : field.end])
            else:
                rest += content[at : field.end]
            at = field.end
    rest += content[at:]
    proto = _parse(graph_pb2.GraphDef(), bytes(rest))
    return itertools.chain((_parse(node_def_pb2.NodeDef(), item) for item in nodes), proto.node), proto


def _parse(proto: Any, content: bytes | memoryview) -> Any:
    from google.protobuf.message import DecodeError

    try:
        proto.ParseFromString(content)
    except DecodeError as cause:
        raise _broken(str(cause)) from cause
    return proto


def _node(item: Any) -> Node:
    data = [text for text in item.input if not text.startswith("^")]
    controls = [text[1:] for text in item.input if text.startswith("^")]
    return Node(
        name=item.name,
        op=item.op,
        inputs=tuple(TensorRef.parse(text) for text in data),
        controls=tuple(controls),
        attrs={key: decode_attr(item.attr[key]) for key in sorted(item.attr) if _is_kept(key, item.attr[key])},
        device=item.device,
    )


def _broken(why: str) -> ModelError:
    return ModelError(
        "The GraphDef is damaged, or is no GraphDef.",
        why=why,
        fixes=["Export the model again.", "Run `tfmobile inspect FILE` to see what the file looks like."],
    )
