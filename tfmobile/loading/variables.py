"""Variables become constants: values come from the checkpoint's file, by the names the graph itself restores from.

The graph's own restore operations are read, never run: a file can then do nothing while it is being loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfmobile.errors import ModelError
from tfmobile.graph.model import Array, TensorRef
from tfmobile.loading.edges import edge
from tfmobile.loading.quiet import tensorflow

VARIABLE_OPS = ("Variable", "VariableV2", "VarHandleOp")
_RESTORES = ("RestoreV2", "Restore", "RestoreSlice")


class Key(NamedTuple):
    """Where a variable's value lies: the tensor's name in the checkpoint, and the slice of it ("" for all)."""

    name: str
    slice: str


class Checkpoint:
    """The tensors of a checkpoint, read one at a time; raises ModelError for what is missing or damaged."""

    def __init__(self, prefix: Path, keys: Mapping[str, tuple[Key, ...]]) -> None:
        self.prefix = prefix
        self._keys = keys
        tf = tensorflow()
        try:
            self._reader = tf.compat.v1.train.NewCheckpointReader(str(prefix))
            self.names: Mapping[str, Any] = self._reader.get_variable_to_shape_map()
        except Exception as cause:
            raise _damaged(prefix, cause) from cause

    def value(self, node: Any) -> Array | None:
        """The value of a variable NodeDef, or None when the checkpoint has none for it."""
        shared = node.attr["shared_name"].s.decode("utf-8", errors="replace")
        plain = [Key(name, "") for name in (shared, node.name) if name]
        for key in (*self._keys.get(node.name, ()), *plain):
            if key.name in self.names:
                return _sliced(self._read(key.name), key.slice)
        return None

    def _read(self, name: str) -> Array:
        try:
            return np.asarray(self._reader.get_tensor(name))
        except Exception as cause:
            raise _damaged(self.prefix, cause) from cause


def _damaged(prefix: Path, cause: Exception) -> ModelError:
    text = (str(cause).splitlines() or [type(cause).__name__])[0]
    return ModelError(
        f"The variables in '{prefix}' cannot be read.",
        why=text[:300],
        fixes=["Copy the checkpoint again with all its files, and compare their sizes with the original."],
    )


def _sliced(value: Array, spec: str) -> Array:
    """The part of a partitioned variable; ``spec`` is TensorFlow's ``10 4 0,5:-``: whole shape, begin and length."""
    if not spec:
        return value
    ranges = spec.split(" ")[-1].split(":")
    slices = []
    for item in ranges:
        if item == "-":
            slices.append(slice(None))
        else:
            begin, length = (int(part) for part in item.split(","))
            slices.append(slice(begin, begin + length))
    return value[tuple(slices)]


def restore_keys(graph_def: Any) -> dict[str, tuple[Key, ...]]:
    """Variable node → the checkpoint keys that the graph's restore operations assign to it, in graph order."""
    found: dict[str, list[Key]] = {}
    main = {node.name: node for node in graph_def.node}
    for variable, key in _assigned(main):
        found.setdefault(_handle(variable, main), []).append(key)
    library = {function.signature.name: function for function in graph_def.library.function}
    for node in graph_def.node:
        called = node.attr["f"].func.name if "f" in node.attr else node.op
        if called in library:
            function = library[called]
            arguments = [argument.name for argument in function.signature.input_arg]
            inputs = [edge(text)[0].node for text in node.input]
            bound = dict(zip(arguments, inputs, strict=False))
            for variable, key in _assigned({item.name: item for item in function.node_def}):
                if variable in bound:
                    found.setdefault(_handle(bound[variable], main), []).append(key)
    return {name: tuple(keys) for name, keys in found.items()}


def _handle(name: str, nodes: Mapping[str, Any]) -> str:
    while name in nodes and nodes[name].op == "Identity" and nodes[name].input:
        name = edge(nodes[name].input[0])[0].node
    return name


def _source(text: str) -> TensorRef:
    """An edge of a graph (``node:1``) or of a function (``node:output:1``)."""
    parts = text.split(":")
    return TensorRef(parts[0], int(parts[-1]) if len(parts) > 1 and parts[-1].isdigit() else 0)


def _assigned(nodes: Mapping[str, Any]) -> Iterator[tuple[str, Key]]:
    """(variable, key) for every assignment of a restored tensor among the nodes of one graph or function."""
    for node in nodes.values():
        if node.op not in ("Assign", "AssignVariableOp") or len(node.input) < 2:
            continue
        ref = _source(node.input[1])
        while ref.node in nodes and nodes[ref.node].op in ("Identity", "Cast", "Reshape") and nodes[ref.node].input:
            ref = _source(nodes[ref.node].input[0])
        restore = nodes.get(ref.node)
        if restore is None or restore.op not in _RESTORES or len(restore.input) < 2:
            continue
        names = _strings(nodes.get(_source(restore.input[1]).node))
        slices = _strings(nodes.get(_source(restore.input[2]).node)) if len(restore.input) > 2 else []
        if ref.index < len(names):
            piece = slices[ref.index] if ref.index < len(slices) else ""
            yield _source(node.input[0]).node, Key(names[ref.index], piece)


def _strings(node: Any) -> list[str]:
    if node is None or node.op != "Const":
        return []
    return [item.decode("utf-8", errors="replace") for item in node.attr["value"].tensor.string_val]


def to_constants(graph_def: Any, checkpoint: Checkpoint, path: str) -> Any:
    """A new GraphDef without variables; raises ModelError that names those without a value."""
    from tensorflow.python.framework import convert_to_constants as convert

    for node in graph_def.node:
        if node.op == "Variable":
            node.op = "VariableV2"
    _read_before_gather(graph_def)
    data = convert._ConverterData(graph_def)
    missing = []
    for node in graph_def.node:
        if node.op not in VARIABLE_OPS:
            continue
        value = checkpoint.value(node)
        if value is None:
            missing.append(node.name)
            continue
        _check_shape(node, value, path)
        data.tensor_data[node.name] = convert._TensorData(value, node.attr["dtype"].type, None)
    if missing:
        raise _without_value(missing, checkpoint, path)
    return convert._replace_variables_by_constants(data)[0] if data.tensor_data else graph_def


def _read_before_gather(graph_def: Any) -> None:
    """ResourceGather in functions becomes ReadVariableOp and Gather, which TensorFlow can turn into constants there."""
    for function in graph_def.library.function:
        for node in [item for item in function.node_def if item.op == "ResourceGather"]:
            if node.attr["batch_dims"].i:
                continue
            kind, indices = node.attr["dtype"].type, node.attr["Tindices"].type
            read = function.node_def.add(name=f"{node.name}/read", op="ReadVariableOp", input=[node.input[0]])
            read.attr["dtype"].type = kind
            name, source = node.name, node.input[1]
            node.Clear()
            node.name, node.op = name, "Gather"
            node.input.extend([f"{name}/read:value:0", source])
            node.attr["Tparams"].type, node.attr["Tindices"].type = kind, indices


def _check_shape(node: Any, value: Array, path: str) -> None:
    shape = node.attr["shape"].shape
    dims = [dim.size for dim in shape.dim]
    fits = len(dims) == value.ndim and all(own in (-1, has) for own, has in zip(dims, value.shape, strict=True))
    if not shape.unknown_rank and not fits:
        raise ModelError(
            f"The variables of '{path}' belong to another graph.",
            why=f"Variable '{node.name}' has shape {dims}, the checkpoint holds {list(value.shape)}.",
            fixes=["Give the .meta or GraphDef that was saved together with this checkpoint."],
        )


def _without_value(missing: list[str], checkpoint: Checkpoint, path: str) -> ModelError:
    shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    has = ", ".join(sorted(checkpoint.names)[:5])
    return ModelError(
        f"{len(missing)} variables of '{path}' have no value.",
        why=f"'{checkpoint.prefix}' holds nothing for: {shown}. It holds: {has or 'nothing'}, ….",
        fixes=["Give the checkpoint that was saved from this graph."],
    )
