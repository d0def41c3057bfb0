"""Why a graph does not convert, in words: the ops, their nodes, and what to do about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tfmobile.errors import UnsupportedError
from tfmobile.graph.model import DType, Graph, Node

# Ops that hold state in a resource: the text after the names, for a model that was frozen incompletely.
RESOURCES = frozenset(
    {
        "HashTable", "HashTableV2", "LookupTableFind", "LookupTableFindV2", "MutableHashTableV2", "VarHandleOp",
        "ReadVariableOp", "AssignVariableOp", "Variable", "VariableV2", "TensorListReserve", "IteratorGetNext",
    }
)  # fmt: skip
_DECODERS = re.compile(r"^(Decode|Parse|Read|Regex|String|AudioSpectrogram|Mfcc)")
_LISTED = 8


def refuse_early(graph: Graph) -> None:
    """Raise UnsupportedError for what the converter would refuse, or silently get wrong."""
    for spec in (*graph.inputs, *graph.outputs):
        if spec.dtype in ("resource", "variant"):
            raise UnsupportedError(
                f"'{spec.key}' is a {spec.dtype}, which a .tflite cannot take or give.",
                why=f"It is the tensor {spec.ref}.",
                fixes=["Choose another tensor with --input or --output."],
            )
    for spec in graph.inputs:
        if spec.dtype in ("float64", "complex128"):
            raise UnsupportedError(
                f"Input '{spec.key}' is {spec.dtype}; TFLite computes in float32.",
                why=f"The tensor is {spec.ref}.",
                fixes=["Export the model with float32 inputs and weights."],
            )
        if spec.shape is None:
            raise UnsupportedError(
                f"The shape of input '{spec.key}' is not known, not even its rank.",
                fixes=[f"Give it: --input-shape {spec.key}=1,224,224,3"],
            )


def explain(graph: Graph, cause: Exception) -> UnsupportedError:
    """The error for an exception of TensorFlow's importer or converter."""
    message = str(cause)
    found = _located(getattr(cause, "errors", ())) or _named(message)
    if not found:
        return UnsupportedError(
            "The converter does not accept this model.", why=_short(message), fixes=_fixes([], [], graph)
        )
    ops = sorted({op for op, _ in found})
    nodes = [_node(graph, op, name) for op, name in found]
    return UnsupportedError(
        f"TFLite has no operator for {', '.join(ops)}.",
        why="Found at " + _list(dict.fromkeys(nodes)) + ". " + _because(ops, nodes, graph),
        fixes=_fixes(ops, nodes, graph),
    )


def _located(errors: Sequence[Any]) -> list[tuple[str, str]]:
    """(op, node) of the converter's structured errors."""
    found = []
    for error in errors:
        op = str(error.operator.name).removeprefix("tf.").removeprefix("tfl.")
        names = [call.name for call in error.location.call if call.name]
        if op and op not in ("func.func", "builtin.module"):
            found.append((op, names[0] if names else ""))
    return found


def _named(message: str) -> list[tuple[str, str]]:
    listed = re.findall(r"(?:TF Select|Custom) ops: ([\w, ]+)", message)
    names = [name.strip() for part in listed for name in part.split(",")]
    names += re.findall(r"Op type not registered '(\w+)'", message)
    names += re.findall(r"'tf\.(\w+)' op ", message)
    return [(name, "") for name in dict.fromkeys(names) if name]


def _node(graph: Graph, op: str, name: str) -> str:
    """The node's name: as the converter gives it, else every node of that op."""
    if name:
        return name.partition("@")[0]
    nodes = [node.name for node in graph if node.op == op]
    return _list(nodes) if nodes else f"an op {op} inside a function"


def _because(ops: Sequence[str], nodes: Iterable[str], graph: Graph) -> str:
    named = [graph.nodes[name] for name in nodes if name in graph.nodes]
    if any(_is(node, "float64") for node in named):
        return "Some of these compute in float64, which TFLite does not."
    if any(_channels_first(node) for node in named):
        return "They are channels-first (NCHW), which TFLite does not compute."
    if RESOURCES & set(ops):
        return "They read tables or variables that are not part of a frozen graph."
    return "They would need the full TensorFlow runtime in the app (TF Select), which tfmobile does not use."


def _fixes(ops: Sequence[str], nodes: Iterable[str], graph: Graph) -> list[str]:
    named = [graph.nodes[name] for name in nodes if name in graph.nodes] or list(graph)
    fixes = []
    if any(_DECODERS.match(op) for op in ops):
        fixes.append("Cut the model behind its decoding: --input NODE, with the data prepared the same way outside.")
    if RESOURCES & set(ops):
        fixes.append("Cut the model before or behind the table: --input NODE or --output NODE.")
    if any(_is(node, "float64") for node in named):
        fixes.append("Export the model in float32.")
    if any(_channels_first(node) for node in named):
        fixes.append("Export the model channels-last (data_format='NHWC', or channels_last in Keras).")
    for spec in graph.inputs:
        if None in (spec.shape or ()):
            sizes = ",".join(str(size or 1) for size in spec.shape or ())
            fixes.append(f"Fix the dimensions that can change: --input-shape {spec.key}={sizes}")
    return fixes or ["Cut the model before these nodes with --output NODE, or replace the ops in the model."]


def _is(node: Node, dtype: str) -> bool:
    return DType(dtype) in node.attrs.values()


def _channels_first(node: Node) -> bool:
    layout = node.attrs.get("data_format")
    return layout in (b"NCHW", "NCHW", b"NCDHW", "NCDHW")


def _list(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _short(message: str) -> str:
    """The lines of an MLIR message that carry an error, without source excerpts."""
    lines = [line for line in message.splitlines() if "error:" in line] or message.splitlines()[:3]
    return " ".join(" ".join(lines).split())[:500]
