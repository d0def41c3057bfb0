"""Change a graph: rewire, replace, add, remove, prune. Every step costs what it touches, never the whole graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tfmobile.graph.attributes import aligned, dtype_name
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef


class GraphEditor:
    """A graph under change. ``finish`` gives the new Graph; the old one is never touched.

    Inputs and outputs keep their names: their nodes cannot be removed, only replaced under the same name. By convention
    a pass never changes the value a name stands for: a node with a new value gets a new name. So two graphs can be
    compared node by node.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = dict(graph.nodes)
        self._place: dict[str, tuple[int, int]] = {name: (index, 0) for index, name in enumerate(self._nodes)}
        self._added = 0
        self._taken: dict[str, int] = {}
        """For a name asked for, the number up to which it is taken."""
        self._readers: dict[str, dict[str, None]] = {name: {} for name in self._nodes}
        for node in graph:
            self._index(node)
        self.inputs = frozenset(spec.ref.node for spec in graph.inputs)
        self.outputs = frozenset(spec.ref for spec in graph.outputs)
        self._output_nodes = frozenset(ref.node for ref in self.outputs)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __iter__(self) -> Iterator[Node]:
        """The nodes there are now, each as it is when its turn comes; the graph may change meanwhile."""
        for name in list(self._nodes):
            node = self._nodes.get(name)
            if node is not None:
                yield node

    def get(self, name: str) -> Node | None:
        """The node, or None when it is gone."""
        return self._nodes.get(name)

    def is_boundary(self, name: str) -> bool:
        """Whether the node is an input or output of the model."""
        return name in self.inputs or name in self._output_nodes

    def consumers(self, name: str) -> list[Node]:
        """The nodes that read ``name``, by data or control edge."""
        return [self._nodes[reader] for reader in self._readers[name]]

    def readers(self, ref: TensorRef) -> list[Node]:
        """The nodes that read the tensor ``ref``."""
        return [node for node in self.consumers(ref.node) if ref in node.inputs]

    def only_reader(self, ref: TensorRef) -> Node | None:
        """The one node that reads ``ref``, when nothing else does and it is not a model output."""
        readers = self.readers(ref)
        return readers[0] if len(readers) == 1 and ref not in self.outputs else None

    def fresh(self, name: str) -> str:
        """``name``, or ``name_1``, ``name_2``, … when taken."""
        found, count = name, self._taken.get(name, 0)
        while found in self._nodes:
            count += 1
            found = f"{name}_{count}"
        self._taken[name] = count
        return found

    def add(self, node: Node, *, beside: str) -> Node:
        """Add a node; it stands just before the node ``beside``. Its name must be free."""
        if node.name in self._nodes:
            raise ValueError(f"there is a node '{node.name}' already")
        index, _ = self._place[beside]
        self._added += 1
        self._place[node.name] = (index, self._added - 2**40)
        self._nodes[node.name] = node
        self._readers[node.name] = {}
        self._index(node)
        return node

    def add_constant(
        self, name: str, value: Array, *, beside: str, controls: Iterable[str] = (), device: str = ""
    ) -> TensorRef:
        """Add a Const under ``name``, made free, that waits for ``controls``."""
        node = dataclasses.replace(constant(self.fresh(name), value), controls=tuple(controls), device=device)
        return TensorRef(self.add(node, beside=beside).name)

    def replace(self, node: Node) -> None:
        """Put ``node`` in the place of the node of the same name."""
        self._unindex(self._nodes[node.name])
        self._nodes[node.name] = node
        self._index(node)

    def update(self, name: str, **changes: Any) -> Node:
        """Replace some fields of a node."""
        node = dataclasses.replace(self._nodes[name], **changes)
        self.replace(node)
        return node

    def redirect(self, old: TensorRef, new: TensorRef) -> None:
        """Let all that read ``old`` read ``new``. A model output ``old`` stays what it is."""
        for reader in self.readers(old):
            self.update(reader.name, inputs=tuple(new if ref == old else ref for ref in reader.inputs))

    def redirect_controls(self, old: str, new: Iterable[str]) -> None:
        """Let all that wait for ``old`` wait for ``new`` instead."""
        wanted = tuple(new)
        for reader in self.consumers(old):
            if old in reader.controls:
                kept = [name for name in reader.controls if name != old]
                self.update(reader.name, controls=tuple(dict.fromkeys([*kept, *wanted])))

    def remove(self, name: str) -> None:
        """Remove a node that nothing reads any more and that is no input or output."""
        if self._readers[name] or self.is_boundary(name):
            raise ValueError(f"the node '{name}' is still needed")
        self._unindex(self._nodes.pop(name))
        del self._readers[name], self._place[name]

    def prune(self) -> None:
        """Remove the nodes that no output needs. Inputs always stay."""
        kept = needed(self._nodes, self._output_nodes, self.inputs)
        gone = [node for name, node in self._nodes.items() if name not in kept]
        for node in gone:
            self._unindex(node)
        for node in gone:
            del self._nodes[node.name], self._readers[node.name], self._place[node.name]

    def finish(self, *, prune: bool = True, library: bytes | None = None) -> Graph:
        """The graph as it is now; with ``prune``, without the nodes no output needs. Inputs always stay."""
        if prune:
            self.prune()
        return dataclasses.replace(
            self._graph,
            nodes={name: self._nodes[name] for name in sorted(self._nodes, key=self._place.__getitem__)},
            library=self._graph.library if library is None else library,
        )

    def _index(self, node: Node) -> None:
        for name in _sources(node):
            self._readers[name][node.name] = None

    def _unindex(self, node: Node) -> None:
        for name in _sources(node):
            self._readers[name].pop(node.name, None)


def constant(name: str, value: Array) -> Node:
    """A Const node; a large value is moved to where TensorFlow reads it in place."""
    return Node(name, "Const", attrs={"dtype": DType(dtype_name(value)), "value": aligned(value)})


def needed(nodes: Mapping[str, Node], outputs: Iterable[str], inputs: Iterable[str] = ()) -> set[str]:
    """The names of the nodes that ``outputs`` depend on, and ``inputs``."""
    found = set(inputs)
    waiting = list(dict.fromkeys([*outputs, *found]))
    found.update(waiting)
    while waiting:
        for name in _sources(nodes[waiting.pop()]):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def in_order(graph: Graph) -> list[Node]:
    """The nodes, each after all it reads; nodes in a loop (TF1 while) come last, in the order they are stored."""
    blockers = {node.name: len(_sources(node)) for node in graph}
    consumers = graph.consumers()
    ready = [name for name, count in blockers.items() if count == 0]
    done: dict[str, None] = {}
    position = 0
    while position < len(ready):
        name = ready[position]
        position += 1
        done[name] = None
        for reader in consumers[name]:
            blockers[reader.name] -= 1
            if blockers[reader.name] == 0:
                ready.append(reader.name)
    return [graph.nodes[name] for name in [*done, *(name for name in graph.nodes if name not in done)]]


def _sources(node: Node) -> set[str]:
    return {ref.node for ref in node.inputs}.union(node.controls)
