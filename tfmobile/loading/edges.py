"""GraphDef surgery that only needs the protobuf: edges as text, the part that outputs need, cutting at an edge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tfmobile.errors import ModelError
from tfmobile.graph.model import TensorRef

# With these in a graph, control edges decide which branch or loop a constant belongs to; without them a frozen graph
# has no state whose order could matter, and control edges say nothing.
_BRANCHES = re.compile(r"(Ref)?(Switch|Merge|Enter|Exit|NextIteration)\Z|_SwitchN\Z|LoopCond\Z")
_EFFECTS = re.compile(
    r"(Assert|Assign|Save|Restore|Print|NoOp|Scatter|Resource(Apply|Scatter)|Apply|WriteFile|InitializeTable|"
    r"CheckNumerics|MergeV2|\w*Enqueue|\w*Summary)"
)


def edge(text: str) -> tuple[TensorRef, bool]:
    """An input of a NodeDef: the edge, and whether it is a control edge."""
    return (TensorRef(text[1:]), True) if text.startswith("^") else (TensorRef.parse(text), False)


def has_branches(nodes: Iterable[Any]) -> bool:
    """Whether TF1 control flow (Switch, Merge, loops) is among the nodes."""
    return any(_BRANCHES.match(node.op) for node in nodes)


def _has_effect(op: str) -> bool:
    return _EFFECTS.match(op) is not None


def needed(graph_def: Any, targets: Iterable[str], path: str) -> Any:
    """A new GraphDef: what the nodes ``targets`` need, without side effects, devices and colocation hints.

    Raises ModelError when an edge comes from a node that is not there.
    """
    nodes = {node.name: node for node in graph_def.node}
    by_data = _reach(nodes, targets, path, keep_controls=False)
    keep_controls = has_branches(nodes[name] for name in by_data)
    wanted = _reach(nodes, targets, path, keep_controls=True) if keep_controls else by_data
    result = type(graph_def)()
    result.versions.CopyFrom(graph_def.versions)
    for node in graph_def.node:
        if node.name in wanted:
            result.node.append(_clean(node, nodes, keep_controls))
    _copy_functions(graph_def, result)
    return result


def _reach(nodes: dict[str, Any], targets: Iterable[str], path: str, *, keep_controls: bool) -> set[str]:
    waiting = list(targets)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        if name not in nodes:
            raise _dangling(name, path)
        seen.add(name)
        for text in nodes[name].input:
            ref, control = edge(text)
            if not control or (keep_controls and ref.node in nodes and not _has_effect(nodes[ref.node].op)):
                waiting.append(ref.node)
    return seen


def _dangling(name: str, path: str) -> ModelError:
    return ModelError(
        f"The graph in '{path}' is not whole.",
        why=f"A node reads from '{name}', which is not in the graph.",
        fixes=["Export or copy the model again; a part of it is missing."],
    )


def _clean(node: Any, nodes: dict[str, Any], keep_controls: bool) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    copy.device = ""
    del copy.input[:]
    for text in node.input:
        ref, control = edge(text)
        if not control or (keep_controls and ref.node in nodes and not _has_effect(nodes[ref.node].op)):
            copy.input.append(text)
    _drop_hints(copy)
    return copy


def _drop_hints(node: Any) -> None:
    for name in ("_class", "_output_shapes", "_XlaCompile", "_XlaMustCompile"):
        if name in node.attr:
            del node.attr[name]


def _copy_functions(source: Any, result: Any) -> None:
    library = {function.signature.name: function for function in source.library.function}
    waiting = [name for node in result.node for name in function_names(node)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in library:
            continue
        seen.add(name)
        waiting.extend(inner for node in library[name].node_def for inner in function_names(node))
    for function in source.library.function:
        if function.signature.name in seen:
            copy = result.library.function.add()
            copy.CopyFrom(function)
            for node in copy.node_def:
                node.device = ""
                _drop_hints(node)
            if "api_implements" in copy.attr:  # keeps Grappler from inlining Keras' recurrent layers
                del copy.attr["api_implements"]
    result.library.gradient.extend(
        item for item in source.library.gradient if {item.function_name, item.gradient_func} <= seen
    )


def function_names(node: Any) -> Iterator[str]:
    """The names of functions that a NodeDef may call: its op, and its function attributes."""
    yield node.op
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (item.name for item in value.list.func)


def cut(graph_def: Any, refs: Sequence[TensorRef], kinds: Sequence[int]) -> tuple[Any, list[TensorRef]]:
    """A new GraphDef in which every edge of ``refs`` comes from a Placeholder of the DataType ``kinds``.

    A Placeholder takes the name of the node it stands for, unless another output of that node is still in use.
    """
    result = type(graph_def)()
    result.CopyFrom(graph_def)
    nodes = {node.name: node for node in result.node}
    done: list[TensorRef] = []
    for ref, kind in zip(refs, kinds, strict=True):
        node = nodes[ref.node]
        if node.op == "Placeholder":
            done.append(ref)
            continue
        siblings = any(
            other.node == ref.node and other.index != ref.index and not control
            for item in result.node
            for other, control in map(edge, item.input)
        )
        if siblings or ref.index:
            node = result.node.add()
            node.name = _free_name(f"{ref.node}_{ref.index}", nodes)
            nodes[node.name] = node
            _redirect(result, ref, node.name)
        name = node.name
        node.Clear()
        node.name, node.op = name, "Placeholder"
        node.attr["dtype"].type = kind
        done.append(TensorRef(name))
    return result, done


def _free_name(name: str, nodes: dict[str, Any]) -> str:
    while name in nodes:
        name += "_cut"
    return name


def _redirect(graph_def: Any, old: TensorRef, new: str) -> None:
    for node in graph_def.node:
        for position, text in enumerate(node.input):
            ref, control = edge(text)
            if ref == old and not control:
                node.input[position] = new
