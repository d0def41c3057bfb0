"""The function library: who calls it, and calls replaced by the nodes of the function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence, Set
from typing import Any

from tfmobile.graph.edit import GraphEditor, in_order
from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Graph, Node, RawAttr, TensorRef


def function_names(library: bytes) -> frozenset[str]:
    """The names of the functions in a serialized FunctionDefLibrary."""
    return frozenset(item.signature.name for item in _library(library).function)


def called(node: Node) -> list[str]:
    """The names of the functions that the node's attributes name."""
    from tensorflow.core.framework import attr_value_pb2

    protos = [
        attr_value_pb2.AttrValue.FromString(item.data) for item in node.attrs.values() if isinstance(item, RawAttr)
    ]
    return [func.name for proto in protos for func in (*proto.list.func, *([proto.func] if proto.func.name else []))]


def harmless_functions(library: bytes, has_effect: Callable[[Node, Set[str]], bool]) -> frozenset[str]:
    """The functions in which no node has an effect; ``has_effect(node, harmless)`` judges a node."""
    from tensorflow.core.framework import graph_pb2

    bodies: dict[str, list[Node]] = {}
    for item in _library(library).function:
        proto = graph_pb2.GraphDef(node=item.node_def)
        for node in proto.node:
            del node.input[:]
        bodies[item.signature.name] = list(from_graph_def(proto))
    harmless: set[str] = set()
    grown = True
    while grown:  # a function is as harmless as those it calls
        found = {name for name, nodes in bodies.items() if not any(has_effect(node, harmless) for node in nodes)}
        grown = len(found) > len(harmless)
        harmless = found
    return frozenset(harmless)


def unused_library(graph: Graph) -> bool:
    """Whether no node can call a function of the library."""
    if any(isinstance(value, RawAttr) for node in graph for value in node.attrs.values()):
        return False
    names = function_names(graph.library)
    return not any(node.op in names for node in graph)


def inline_call(
    editor: GraphEditor, call: Node, function: RawAttr, inputs: Sequence[TensorRef], library: bytes
) -> bool:
    """Put the nodes of ``function`` in the place of ``call``, whose outputs are read there instead.

    The nodes are called ``call/node``. False, and nothing changed, when the library does not have the function.
    """
    from tensorflow.core.framework import attr_value_pb2
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

    name = attr_value_pb2.AttrValue.FromString(function.data).func.name
    found = next((item for item in _library(library).function if item.signature.name == name), None)
    if found is None or len(found.signature.input_arg) != len(inputs):
        return False
    proto, flat = function_def_to_graph_def(found)
    arguments = {item.name: ref for item, ref in zip(found.signature.input_arg, inputs, strict=True)}
    body = from_graph_def(proto)
    names = {node.name: editor.fresh(f"{call.name}/{node.name}") for node in body}

    def moved(ref: TensorRef) -> TensorRef:
        return arguments[ref.node] if ref.node in arguments else TensorRef(names[ref.node], ref.index)

    kept = [node for node in in_order(body) if node.name not in arguments]
    for node in kept:
        controls = [names[item] for item in node.controls if item not in arguments]
        if not node.inputs:
            controls.extend(call.controls)
        editor.add(
            dataclasses.replace(
                node,
                name=names[node.name],
                inputs=tuple(moved(ref) for ref in node.inputs),
                controls=tuple(dict.fromkeys(controls)),
            ),
            beside=call.name,
        )
    results = [moved(TensorRef.parse(flat[found.ret[item.name]])) for item in found.signature.output_arg]
    effects = [names[item] for item in found.control_ret.values() if item not in arguments]
    _replace_call(editor, call, results, effects)
    return True


def _replace_call(editor: GraphEditor, call: Node, results: list[TensorRef], effects: list[str]) -> None:
    for index, ref in enumerate(results):
        editor.redirect(TensorRef(call.name, index), ref)
    editor.redirect_controls(call.name, effects)
    if not editor.is_boundary(call.name):
        editor.remove(call.name)
        return
    kinds = call.attrs["Tout"]
    op, attrs = ("Identity", {"T": kinds[0]}) if len(kinds) == 1 else ("IdentityN", {"T": kinds})
    editor.replace(Node(call.name, op, tuple(results), attrs=attrs))


def _library(content: bytes) -> Any:
    from tensorflow.core.framework import function_pb2

    return function_pb2.FunctionDefLibrary.FromString(content)
