"""Operations that stop a graph before anything runs: unknown ones, ones that reach outside, tables and pipelines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tfmobile.errors import ModelError, UnsupportedError, UntrustedModelError
from tfmobile.loading.quiet import tensorflow

# Operations that run Python, or touch files, libraries or the network, by what they do.
OUTSIDE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(Eager)?PyFunc(Stateless)?\Z"), "runs Python code"),
    (re.compile(r"(ReadFile|WriteFile|MatchingFiles|.*Reader(V2)?|ReaderRead.*)\Z"), "opens files"),
    (re.compile(r"(Save|SaveV2|SaveSlices|Restore|RestoreV2|RestoreSlice|MergeV2Checkpoints)\Z"), "opens files"),
    (re.compile(r"InitializeTableFromTextFile(V2)?\Z"), "opens files"),
    (
        re.compile(r".*(TFRecord|TextLine|FixedLength|LMDB|Snapshot|Load|Save|Sql|CSV|Service)\w*Dataset\w*\Z"),
        "opens files",
    ),
    (
        re.compile(r"(PrintV2|DebugIdentity\w*|Debug(Nan|Numeric)\w*|Create\w*Writer|Write\w*Summary|ImportEvent)\Z"),
        "writes files",
    ),
    (
        re.compile(r"(RemoteCall|Rpc|TryRpc|Send|Recv|_Send|_Recv|_HostSend|_HostRecv|Collective\w*)\Z"),
        "talks to other machines",
    ),
)
_TABLES = re.compile(r".*(HashTable|LookupTable|InitializeTable)\w*\Z")
_PIPELINES = re.compile(r"(.*Iterator\w*|.*Queue\w*|.*Dequeue\w*|.*Dataset\w*|Reader\w*)\Z")
_PYTHON = OUTSIDE[0][0]
# What stands between a string and the network that reads it: decoding, and the features of speech models.
DECODERS = re.compile(r"(Decode\w+|ParseExample(V2)?|ParseSingleExample|AudioSpectrogram|Mfcc|Identity|Squeeze)\Z")


def all_nodes(graph_def: Any) -> Iterator[Any]:
    """The NodeDefs of the graph and of its functions."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def reaching_outside(graph_def: Any) -> dict[str, str]:
    """Node name → ``op (what it does)`` for the nodes that reach outside the graph."""
    return {
        node.name: f"{node.op} ({does})"
        for node in all_nodes(graph_def)
        for pattern, does in OUTSIDE
        if pattern.match(node.op)
    }


def check_trusted(graph_def: Any, path: str, *, trust: bool) -> None:
    """Raises UntrustedModelError for operations that run Python or touch files, UnsupportedError for Python even so."""
    found = reaching_outside(graph_def)
    if found and not trust:
        raise UntrustedModelError(
            f"'{path}' does more than compute.",
            why="Its graph " + "; ".join(f"holds {op} at node '{name}'" for name, op in list(found.items())[:4]) + ".",
            fixes=[
                "Cut the graph behind that node: --input NODE.",
                "Type --trust if you know who made the file.",
            ],
        )
    python = [name for name, op in found.items() if _PYTHON.match(op.split(" ")[0])]
    if python:
        raise UnsupportedError(
            f"'{path}' calls a Python function at node '{python[0]}'.",
            why="The function is not in the file, and a phone has no Python.",
            fixes=["Cut the graph behind that node (--input NODE), or write the function with TensorFlow operations."],
        )


def check_known(graph_def: Any, path: str) -> None:
    """Raises UnsupportedError that names every operation this TensorFlow does not have."""
    tensorflow()
    from tensorflow.python.framework import op_def_registry

    functions = {function.signature.name for function in graph_def.library.function}
    missing: dict[str, str] = {}
    for node in all_nodes(graph_def):
        if node.op in functions or node.op in missing:
            continue
        if node.op == "SymbolicGradient" or op_def_registry.get(node.op) is None:
            missing[node.op] = node.name
    if missing:
        listed = ", ".join(f"{op} (node '{name}')" for op, name in list(missing.items())[:8])
        raise UnsupportedError(
            f"'{path}' uses operations that TensorFlow does not have.",
            why=f"Missing: {listed}.",
            fixes=[
                "Import the package that brings them (tf.load_op_library) before loading, from Python.",
                "Cut them off with --input NODE or --output NODE.",
            ],
        )


def check_pure(graph_def: Any, path: str) -> None:
    """Raises UnsupportedError for lookup tables and for input pipelines: they cannot become constants."""
    for pattern, what, fix in (
        (_TABLES, "a lookup table", "Do the lookup outside the model, and cut the graph behind it: --input NODE."),
        (
            _PIPELINES,
            "an input pipeline",
            "Cut the graph behind it: --input NODE.",
        ),
    ):
        found = next((node for node in all_nodes(graph_def) if pattern.match(node.op)), None)
        if found is not None:
            raise UnsupportedError(
                f"'{path}' needs {what}.",
                why=f"Node '{found.name}' is {found.op}, which holds state that cannot be frozen to a constant.",
                fixes=[fix.replace("NODE", _reader(graph_def, found.name), 1)],
            )


def _reader(graph_def: Any, name: str) -> str:
    """The last node of the chain of tables or pipeline nodes that starts at ``name``: where to cut."""
    current = name
    for _ in range(8):
        following = [
            node
            for node in graph_def.node
            if any(text.split(":")[0] == current for text in node.input)
            and (_TABLES.match(node.op) or _PIPELINES.match(node.op))
        ]
        if not following:
            return current
        current = following[0].name
    return current


def check_stateless_variables(graph_def: Any, path: str) -> None:
    """Raises ModelError when variables are left and there is nothing to read their values from."""
    names = [node.name for node in graph_def.node if node.op in ("Variable", "VariableV2", "VarHandleOp")]
    if names:
        shown = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
        raise ModelError(
            f"The graph in '{path}' is not frozen.",
            why=f"It holds {len(names)} variables without values: {shown}.",
            fixes=[f"Give the checkpoint, and this file as its graph: MODEL.ckpt --graph {path}"],
        )
