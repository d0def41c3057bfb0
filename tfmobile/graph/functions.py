"""The function library: what is in it, who calls whom, and what of it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any

from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Graph, Node, RawAttr


class Library:
    """A serialized FunctionDefLibrary, read once."""

    def __init__(self, content: bytes) -> None:
        self._proto = _parsed(content)
        self._functions = {item.signature.name: item for item in self._proto.function}
        self._calls: dict[str, tuple[str, ...]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def definition(self, name: str) -> Any:
        """The FunctionDef; raises KeyError."""
        return self._functions[name]

    def called_by(self, node: Node) -> list[str]:
        """The functions of the library that a node calls: through its attributes, or because its op is one."""
        names = called(node)
        if node.op in self._functions:
            names.append(node.op)
        return [name for name in names if name in self._functions]

    def calls(self, name: str) -> tuple[str, ...]:
        """The functions that the nodes of the function ``name`` call, one for each call."""
        if name not in self._calls:
            nodes = self._functions[name].node_def
            found = (item for node in nodes for item in (node.op, *_named(node.attr.values())))
            self._calls[name] = tuple(item for item in found if item in self._functions)
        return self._calls[name]

    def reached(self, names: Iterable[str]) -> set[str]:
        """``names``, and the functions that these call in turn, or have as their gradient."""
        gradients = {item.function_name: item.gradient_func for item in self._proto.gradient}
        waiting = [name for name in names if name in self._functions]
        found = set(waiting)
        while waiting:
            name = waiting.pop()
            for other in (*self.calls(name), gradients.get(name, "")):
                if other in self._functions and other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def only(self, names: Set[str]) -> bytes:
        """The library with the functions ``names`` alone; empty bytes when there are none."""
        from tensorflow.core.framework import function_pb2

        kept = function_pb2.FunctionDefLibrary(
            function=[item for item in self._proto.function if item.signature.name in names],
            gradient=[item for item in self._proto.gradient if item.function_name in names],
        )
        content: bytes = kept.SerializeToString(deterministic=True)
        return content


def needed_library(nodes: Iterable[Node], library: Library) -> set[str]:
    """The functions that ``nodes`` may call, directly or in turn."""
    return library.reached(name for node in nodes for name in library.called_by(node))


def function_names(library: bytes) -> frozenset[str]:
    """The names of the functions in a serialized FunctionDefLibrary."""
    return frozenset(item.signature.name for item in _parsed(library).function)


def called(node: Node) -> list[str]:
    """The names of the functions that the node's attributes name."""
    from tensorflow.core.framework import attr_value_pb2

    raw = [item.data for item in node.attrs.values() if isinstance(item, RawAttr)]
    return list(_named(map(attr_value_pb2.AttrValue.FromString, raw)))


def harmless_functions(library: bytes, has_effect: Callable[[Node, Set[str]], bool]) -> frozenset[str]:
    """The functions in which no node has an effect; ``has_effect(node, harmless)`` judges a node."""
    from tensorflow.core.framework import graph_pb2

    bodies: dict[str, list[Node]] = {}
    for item in _parsed(library).function:
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


def _named(values: Iterable[Any]) -> Iterator[str]:
    """The names of functions in attribute values, also in the attributes that a function is given."""
    for value in values:
        for function in (*value.list.func, *([value.func] if value.func.name else [])):
            yield function.name
            yield from _named(function.attr.values())


def _parsed(content: bytes) -> Any:
    from tensorflow.core.framework import function_pb2

    return function_pb2.FunctionDefLibrary.FromString(content)
