"""Calls of functions replaced by the nodes of the function."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tfmobile.graph.attributes import decode_attr, encode_attr
from tfmobile.graph.edit import GraphEditor, in_order
from tfmobile.graph.functions import Library
from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Attr, Node, RawAttr, TensorRef

Refused: TypeAlias = str
"""Why a function cannot be put in the place of its call."""
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_ENTERS = frozenset({"Enter", "RefEnter"})


@dataclass(frozen=True)
class Callee:
    """A function as it is called: its name, and the values (AttrValue) of the attributes it leaves open."""

    name: str
    attrs: Mapping[str, Any]


@dataclass(frozen=True)
class Body:
    """What a function does, as nodes that read its ``arguments`` by name. ``effects``: nodes that must run.

    ``takes`` and ``gives`` are the dtypes of arguments and results.
    """

    nodes: tuple[Node, ...]
    arguments: tuple[str, ...]
    results: tuple[TensorRef, ...]
    takes: tuple[Attr, ...]
    gives: tuple[Attr, ...]
    effects: tuple[str, ...]


def callee(node: Node, library: Library) -> Callee | None:
    """The function that ``node`` stands for: of a PartitionedCall, or of an op that is a function of the library."""
    if node.op in _CALLS:
        found = functions_of(node.attrs.get("f"))
        return found[0] if found else None
    if node.op not in library:
        return None
    declared = {item.name for item in library.definition(node.op).signature.attr}
    return Callee(node.op, {key: _encoded(value) for key, value in node.attrs.items() if key in declared})


def functions_of(attr: Attr) -> tuple[Callee, ...]:
    """The functions that an attribute holds: one, or a list of them."""
    from tensorflow.core.framework import attr_value_pb2

    if not isinstance(attr, RawAttr):
        return ()
    value = attr_value_pb2.AttrValue.FromString(attr.data)
    found = [value.func] if value.WhichOneof("value") == "func" else value.list.func
    return tuple(Callee(item.name, dict(item.attr)) for item in found)


def read_body(library: Library, called: Callee, count: int) -> Body | Refused:
    """What the function does when it is called with ``count`` inputs; or why that cannot be told."""
    from tensorflow.core.framework import graph_pb2, node_def_pb2

    if called.name not in library:
        return f"the library has no function '{called.name}'"
    function = library.definition(called.name)
    signature = function.signature
    arguments = tuple(item.name for item in signature.input_arg)
    if len(arguments) != count:
        return f"the function '{called.name}' takes {len(arguments)} inputs, and {count} are given"
    attrs = {item.name: item.default_value for item in signature.attr if item.HasField("default_value")}
    attrs.update(called.attrs)
    proto = graph_pb2.GraphDef(node=function.node_def)
    flat = {name: name for name in arguments}
    for node in proto.node:
        for value in node.attr.values():
            _settle(value, attrs)
        ends = _output_names(node, library)
        if ends is None:
            return f"the function '{called.name}' has the op '{node.op}', which TensorFlow does not know"
        flat.update(ends)
    try:
        for node in proto.node:
            node.input[:] = [item if item.startswith("^") else flat[item] for item in node.input]
        results = tuple(TensorRef.parse(flat[function.ret[item.name]]) for item in signature.output_arg)
    except KeyError as missing:
        return f"the function '{called.name}' reads {missing}, which it does not have"
    proto.node.extend(node_def_pb2.NodeDef(name=name, op="Placeholder") for name in arguments)
    return Body(
        nodes=tuple(node for node in in_order(from_graph_def(proto)) if node.name not in arguments),
        arguments=arguments,
        results=results,
        takes=tuple(_dtype(item, attrs) for item in signature.input_arg),
        gives=tuple(_dtype(item, attrs) for item in signature.output_arg),
        effects=tuple(name for name in function.control_ret.values() if name not in arguments),
    )


def inline(
    editor: GraphEditor, call: Node, body: Body, inputs: Sequence[TensorRef], *, anchored: bool = False
) -> list[str]:
    """Put ``body``, fed with ``inputs``, in the place of ``call``; the names of its nodes, which are ``call/node``.

    A call that is a model output stays as an Identity of the result. ``anchored``: the call may be dead, or belong to a
    loop (TF1 control flow). Then all nodes of the body are tied to its inputs, so as to be alive when the call was.
    """
    waits = call.controls
    if anchored and (inputs or waits):
        inputs, waits = _anchor(editor, call, body, inputs)
    arguments = dict(zip(body.arguments, inputs, strict=True))
    names: dict[str, str] = {}
    for node in body.nodes:
        names[node.name] = editor.fresh(f"{call.name}/{node.name}")
        editor.add(Node(names[node.name], node.op), beside=call.name)  # holds the name; edges may lead forward

    def moved(ref: TensorRef) -> TensorRef:
        return arguments[ref.node] if ref.node in arguments else TensorRef(names[ref.node], ref.index)

    for node in body.nodes:
        controls = [arguments[item].node if item in arguments else names[item] for item in node.controls]
        if all(name in arguments for name in (*node.controls, *(ref.node for ref in node.inputs))):
            controls.extend(waits)
        editor.replace(
            dataclasses.replace(
                node,
                name=names[node.name],
                inputs=tuple(moved(ref) for ref in node.inputs),
                controls=tuple(dict.fromkeys(controls)),
                attrs=_own_frame(node, call.name),
                device=node.device or call.device,
            )
        )
    results = [moved(ref) for ref in body.results]
    replace_call(editor, call, results, body.gives, [*(names[name] for name in body.effects), *waits])
    return list(names.values())


def replace_call(
    editor: GraphEditor, call: Node, results: Sequence[TensorRef], types: Sequence[Attr], waits: Sequence[str]
) -> None:
    """Let all read ``results`` instead of what ``call`` gives, and wait for ``waits`` instead of ``call``."""
    for index, ref in enumerate(results):
        editor.redirect(TensorRef(call.name, index), ref)
    editor.redirect_controls(call.name, waits)
    if not editor.is_boundary(call.name):
        editor.remove(call.name)
        return
    op, attrs = ("Identity", {"T": types[0]}) if len(types) == 1 else ("IdentityN", {"T": tuple(types)})
    editor.replace(Node(call.name, op, tuple(results), tuple(dict.fromkeys(waits)), attrs, call.device))


def _anchor(
    editor: GraphEditor, call: Node, body: Body, inputs: Sequence[TensorRef]
) -> tuple[list[TensorRef], tuple[str, ...]]:
    """Copies of the inputs that are alive only when all of them are, and a node that is so too."""

    def copy(name: str, ref: TensorRef, kind: Attr, *controls: str) -> TensorRef:
        copied = Node(editor.fresh(f"{call.name}/{name}"), "Identity", (ref,), controls, {"T": kind}, call.device)
        return TensorRef(editor.add(copied, beside=call.name).name)

    arrived = [copy("arrived", ref, kind) for ref, kind in zip(inputs, body.takes, strict=True)]
    controls = (*call.controls, *(ref.node for ref in arrived))
    alive = editor.add(Node(editor.fresh(f"{call.name}/alive"), "NoOp", controls=controls), beside=call.name).name
    return [copy("input", ref, kind, alive) for ref, kind in zip(arrived, body.takes, strict=True)], (alive,)


def _own_frame(node: Node, prefix: str) -> Mapping[str, Attr]:
    """A loop's name must be its own, wherever the function is called."""
    frame = node.attrs.get("frame_name")
    if node.op not in _ENTERS or not isinstance(frame, bytes):
        return node.attrs
    return {**node.attrs, "frame_name": prefix.encode() + b"/" + frame}


def _output_names(node: Any, library: Library) -> dict[str, str] | None:
    """How a function names the outputs of its node (``node:output:0``), and how a graph does; None for unknown ops."""
    from tensorflow.python.framework import op_def_registry

    declared = library.definition(node.op).signature if node.op in library else op_def_registry.get(node.op)
    if declared is None:
        return None
    found: dict[str, str] = {}
    for output in declared.output_arg:
        for index in range(_length(output, node, declared)):
            found[f"{node.name}:{output.name}:{index}"] = str(TensorRef(node.name, len(found)))
    return found


def _length(output: Any, node: Any, declared: Any) -> int:
    """How many tensors one output of an op is: more than one when an attribute counts or lists them."""
    name = output.number_attr or output.type_list_attr
    if not name:
        return 1
    value = node.attr[name] if name in node.attr else _default(declared, name)
    return int(value.i) if output.number_attr else len(value.list.type)


def _default(declared: Any, name: str) -> Any:
    return next(item.default_value for item in declared.attr if item.name == name)


def _settle(value: Any, attrs: Mapping[str, Any]) -> None:
    """Put the caller's values in the place of those the function leaves open; also in what it hands on."""
    if value.WhichOneof("value") == "placeholder" and value.placeholder in attrs:
        value.CopyFrom(attrs[value.placeholder])
    for function in (*value.list.func, *([value.func] if value.WhichOneof("value") == "func" else [])):
        for inner in function.attr.values():
            _settle(inner, attrs)


def _dtype(argument: Any, attrs: Mapping[str, Any]) -> Attr:
    from tensorflow.core.framework import attr_value_pb2

    if argument.type_attr and argument.type_attr in attrs:
        return decode_attr(attrs[argument.type_attr])
    return decode_attr(attr_value_pb2.AttrValue(type=argument.type))


def _encoded(value: Attr) -> Any:
    from tensorflow.core.framework import attr_value_pb2

    proto = attr_value_pb2.AttrValue()
    encode_attr(value, proto)
    return proto
