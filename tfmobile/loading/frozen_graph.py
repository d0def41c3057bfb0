"""A GraphDef in a file: binary (.pb) or text (.pbtxt)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.loading.files import head, read_bytes
from tfmobile.loading.freeze import freeze
from tfmobile.loading.options import Loaded, Options
from tfmobile.loading.protobufs import sniff, sniff_text
from tfmobile.loading.quiet import tensorflow
from tfmobile.loading.verbatim import verbatim


def open_model(root: Path, options: Options) -> Loaded:
    """Load the frozen graph at ``root``; its inputs and outputs are guessed unless the options name them."""
    if options.verbatim:
        graph, notes = verbatim(_unparsed(root), str(root), options)
        count = len(graph)
    else:
        graph_def = read_graph_def(root)
        count = len(graph_def.node)
        graph, notes = freeze(graph_def, str(root), options)
    text = " (text)" if sniff_text(head(root)) else ""
    return Loaded(f"Frozen TensorFlow graph{text} with {count} nodes", (root,), graph=graph, notes=notes)


def _unparsed(path: Path) -> Any:
    """The bytes of a binary GraphDef, which is read node by node; the proto of any other."""
    content = read_bytes(path)
    if sniff_text(content[:4096]) is None and content:
        message = sniff(content)
        if message is not None and message.kind == "graph":
            return content
    return read_graph_def(path)


def read_graph_def(path: Path) -> Any:
    """The GraphDef in a .pb or .pbtxt, or in a .meta; raises ModelError when it is damaged or something else."""
    tensorflow()
    from tensorflow.core.framework import graph_pb2
    from tensorflow.core.protobuf import meta_graph_pb2

    content = read_bytes(path)
    kind = sniff_text(content[:4096])
    if kind in ("graph", "meta-graph"):
        meta = meta_graph_pb2.MetaGraphDef()
        parse_text(content, meta.graph_def if kind == "graph" else meta, path)
        return meta.graph_def
    message = sniff(content) if content else None
    if message is not None and message.kind == "meta-graph":
        return parse_binary(content, meta_graph_pb2.MetaGraphDef(), path).graph_def
    if message is None or message.kind != "graph":
        raise damaged(path, "it is no GraphDef")
    return parse_binary(content, graph_pb2.GraphDef(), path)


def parse_text(content: bytes, message: Any, path: Path) -> Any:
    """Fill the protobuf ``message`` from text; raises ModelError with the line."""
    from google.protobuf import text_format

    try:
        return text_format.Parse(content.decode("utf-8"), message)
    except (text_format.ParseError, UnicodeDecodeError, ValueError, RecursionError) as cause:
        raise damaged(path, (str(cause).splitlines() or ["not text"])[0]) from cause


def parse_binary(content: bytes, message: Any, path: Path) -> Any:
    """Fill the protobuf ``message`` from bytes; raises ModelError."""
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except (DecodeError, ValueError, RuntimeError) as cause:
        raise damaged(path, (str(cause).splitlines() or ["not a protobuf"])[0]) from cause
    return message


def damaged(path: Path, why: str) -> ModelError:
    """The error for a protobuf file that cannot be parsed."""
    return ModelError(
        f"'{path}' is damaged, or no TensorFlow graph.",
        why=why[:300],
        fixes=["Copy or export it again, and compare its size with the original."],
    )
