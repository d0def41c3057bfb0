"""A TensorFlow graph as a side of the comparison."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from tfmobile.differences.control_flow import inside
from tfmobile.differences.sides import End, Feeds, Part, Tensor, plain_constant
from tfmobile.graph.edit import in_order, needed
from tfmobile.graph.functions import function_names
from tfmobile.graph.model import Array, Graph, Node, Shape, TensorRef, TensorSpec
from tfmobile.graph.run import Runner
from tfmobile.graph.text import attr_text
from tfmobile.graph.text_parser import np_dtype

_NUMBERS = frozenset(
    {"bool", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
_REAL = ("float", "bfloat", "complex")
_UNKNOWN_SIZE = 16


class GraphSide:
    """The nodes are the parts. What no output needs is compared in structure, and never run."""

    kind = "graph"

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._runner: Runner | None = None
        order = in_order(graph)
        self.parts: Mapping[str, Part] = {node.name: _part(node) for node in order}
        self.inputs = tuple(map(_end, graph.inputs))
        self.outputs = tuple(map(_end, graph.outputs))
        self.hidden = len(function_names(graph.library)) if graph.library else 0
        self._constant = _constant(graph, order)

    def count(self) -> int:
        return len(self._graph)

    def label(self, name: str) -> str:
        return name

    def is_constant(self, name: str) -> bool:
        return name in self._constant

    def tensors(self) -> list[Tensor]:
        graph = self._graph
        hidden, run = inside(graph), _run_for_outputs(graph)
        left_out = self._constant | {spec.ref.node for spec in graph.inputs}
        read = {spec.ref for spec in graph.outputs}
        read.update(ref for name in run for ref in graph.nodes[name].inputs)
        by_node: dict[str, list[TensorRef]] = {}
        for ref in sorted(read):
            by_node.setdefault(ref.node, []).append(ref)
        found = []
        for name in self.parts:
            for ref in by_node.get(name, ()) if name in run and name not in left_out else ():
                shape, dtype = self._running().type_of(ref)
                if dtype in _NUMBERS:
                    size = _bytes(shape, dtype)
                    found.append(Tensor(ref, str(ref), size, name in hidden, not dtype.startswith(_REAL)))
        return found

    def values(self, refs: Sequence[TensorRef], feeds: Feeds) -> Iterator[Mapping[TensorRef, Array]]:
        for feed in feeds:
            found = self._running().run(feed, refs)
            yield {ref: found[str(ref)] for ref in refs}

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _running(self) -> Runner:
        """One session for all that is asked for."""
        if self._runner is None:
            ends = [spec.ref for spec in self._graph.outputs]
            self._runner = Runner(_pruned(self._graph, ends), ends)
        return self._runner


def _part(node: Node) -> Part:
    value = node.value
    attrs = {key: attr_text(item) for key, item in node.attrs.items() if not (key == "value" and value is not None)}
    remarks = {key: text for key, text in attrs.items() if key.startswith("_")}  # they compute nothing
    return Part(
        name=node.name,
        op=node.op,
        inputs=node.inputs,
        controls=node.controls,
        settings={key: text for key, text in attrs.items() if key not in remarks},
        traits={**remarks, "device": node.device} if node.device else remarks,
        constant=None if value is None else plain_constant(node.name, value),
    )


def _end(spec: TensorSpec) -> End:
    return End(spec.key, spec.ref, spec.dtype, spec.shape)


def _constant(graph: Graph, order: Sequence[Node]) -> frozenset[str]:
    fed = {spec.ref.node for spec in graph.inputs}
    found: set[str] = set()
    for node in order:
        if node.name not in fed and (
            node.op == "Const" or (node.inputs and all(ref.node in found for ref in node.inputs))
        ):
            found.add(node.name)
    return frozenset(found)


def _run_for_outputs(graph: Graph) -> set[str]:
    """The nodes that run when the outputs are asked for; an input is fed, whatever is before it."""
    fed = {spec.ref.node for spec in graph.inputs}
    waiting = [spec.ref.node for spec in graph.outputs]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        node = graph.nodes[name]
        if name not in fed:
            waiting += [ref.node for ref in node.inputs] + list(node.controls)
    return found


def _pruned(graph: Graph, refs: Sequence[TensorRef]) -> Graph:
    """The part of the graph that ``refs`` need, with all inputs, so that it can be fed as ever."""
    ends = [ref.node for ref in (*refs, *(spec.ref for spec in graph.inputs))]
    kept = needed(graph.nodes, ends)
    return dataclasses.replace(
        graph, nodes={name: node for name, node in graph.nodes.items() if name in kept}, outputs=()
    )


def _bytes(shape: Shape, dtype: str) -> int:
    sizes = [_UNKNOWN_SIZE if size is None else size for size in shape[1:]] if shape else []
    first = (shape[0] or 1) if shape else 1
    return first * math.prod(sizes) * np_dtype(dtype).itemsize
