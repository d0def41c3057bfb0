"""merge-reshapes: a chain of Reshape, Squeeze and ExpandDims becomes one Reshape, or none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.match import source
from tfmobile.graph.model import DType, Graph, Node, Shape, TensorRef
from tfmobile.passes.known_types import Types
from tfmobile.passes.simplify.bypass import Bypass

_RESHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims"})


@dataclass(frozen=True)
class MergeReshapes:
    """Make one ``Reshape``, or none, of a chain of ``Reshape``, ``Squeeze`` and ``ExpandDims``.

    Each of them gives the numbers it gets, in the same order, so that only the last shape counts. For the last node of
    a chain, which keeps its name, the first of these that holds:

    - The shape at the end is the one at the start: the node goes. One dimension may be open (a batch of any size), at
      the same place in both.
    - It undoes the node before it (``Squeeze`` of the axis that ``ExpandDims`` put in, or the reverse), whatever the
      shapes are: both go, and so do pairs around them.
    - It is a ``Reshape``: it reads the start of the chain, with the shape it has.
    - It becomes a ``Reshape`` of the start to the shape it gives, with -1 for a dimension that is open.

    A node in the middle that something else reads stays for that. Left alone: chains that end in Squeeze or ExpandDims
    with more than one open dimension; nodes that wait for others; model inputs. The Graph Transform Tool had nothing
    like it.
    """

    name: ClassVar[str] = "merge-reshapes"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence for each chain that became shorter, and for each that could not."""
        names = [node.name for node in graph if node.op in _RESHAPES]
        if not names:
            return PassResult(graph)
        editor = GraphEditor(graph)
        work = _Chains(editor, Types(graph, names), Bypass(editor))
        work.run(names)
        result = editor.finish() if work.changed else graph
        return PassResult(result, tuple(work.changed), tuple(work.skipped))


@dataclass(frozen=True)
class _Link:
    """A node in a chain: where the chain starts, the nodes up to here, and what the tensor is without undone pairs."""

    start: TensorRef
    length: int
    reduced: TensorRef


@dataclass
class _Chains:
    """The chains of one graph."""

    editor: GraphEditor
    types: Types
    bypass: Bypass
    changed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _links: dict[str, _Link] = field(default_factory=dict)

    def run(self, names: list[str]) -> None:
        """Shorten every chain, from its last node."""
        nodes = [self.editor[name] for name in reversed(names)]
        waiting = [node.name for node in nodes if not self._moves(node) or self._ends(node)]
        while waiting:
            waiting.extend(self._shorten(self.editor[waiting.pop()]))

    def _ends(self, node: Node) -> bool:
        """Whether something needs the node itself, not only what comes after it in the chain."""
        readers = self.editor.consumers(node.name)
        return self.editor.is_boundary(node.name) or any(
            not self._moves(reader) or any(ref.node == node.name for ref in reader.inputs[1:]) for reader in readers
        )

    def _moves(self, node: Node) -> bool:
        return node.op in _RESHAPES and not self.bypass.why_not(node, node.inputs[0])

    def _link(self, node: Node) -> _Link:
        """What is known of the chain that ends in ``node``; found from its start on, without recursion."""
        path = [node]
        while path[-1].name not in self._links:
            before = self.editor[path[-1].inputs[0].node]
            if not self._moves(before):
                break
            path.append(before)
        for item in reversed(path):
            if item.name not in self._links:
                self._links[item.name] = self._next(item)
        return self._links[node.name]

    def _next(self, node: Node) -> _Link:
        data = node.inputs[0]
        before = self._links.get(data.node) if self._moves(self.editor[data.node]) else None
        if before is None:
            return _Link(data, 1, TensorRef(node.name))
        reduced = TensorRef(node.name)
        inner = self.editor[before.reduced.node]
        if self._moves(inner) and self._undoes(node, inner):
            link = self._links.get(inner.inputs[0].node)
            reduced = inner.inputs[0] if link is None else link.reduced
        return _Link(before.start, before.length + 1, reduced)

    def _shorten(self, node: Node) -> list[str]:
        """Do what can be done; returns the nodes in the middle that end a chain by now."""
        link = self._link(node)
        same = self._same(link.start, TensorRef(node.name))
        target = link.start if same else link.reduced
        goes = target.node != node.name
        reason = self.bypass.why_not(node, node.inputs[0])
        if reason or (not goes and link.length == 1):
            if reason and (goes or link.length > 1):
                self.skipped.append(f"Left '{node.name}' ({node.op}): {reason}.")
            return []
        if not goes:
            self._merge(node, link)
            return []
        if self.bypass.idle(node):
            return []
        self.bypass(node, target, node.attrs.get("T"))
        what = (
            f"its shape is that of '{target}'" if same else f"together with nodes before it, it gives '{target}' again"
        )
        self.changed.append(f"Removed '{node.name}' ({node.op}): {what}.")
        return [target.node] if self._moves(self.editor[target.node]) else []

    def _merge(self, node: Node, link: _Link) -> None:
        if node.op == "Reshape":
            self.editor.update(node.name, inputs=(link.start, node.inputs[1]))
        else:
            sizes = _sizes(self.types.shape(TensorRef(node.name)))
            if sizes is None:
                self.skipped.append(f"Left '{node.name}' ({node.op}): more than one of its dimensions is open.")
                return
            self._replace(node, link.start, sizes)
        self.changed.append(f"Made one Reshape of {link.length} nodes, of which '{node.name}' ({node.op}) is the last.")

    def _replace(self, node: Node, start: TensorRef, sizes: list[int]) -> None:
        shape = constant(self.editor.fresh(f"{node.name}/shape"), np.array(sizes, np.int32))
        controls = (start.node,) if self.bypass.control_flow else ()  # to live in the same branch or loop
        self.editor.add(dataclasses.replace(shape, controls=controls), beside=node.name)
        attrs = {"T": node.attrs["T"], "Tshape": DType("int32")}
        self.editor.replace(
            Node(node.name, "Reshape", (start, TensorRef(shape.name)), node.controls, attrs, node.device)
        )

    def _same(self, one: TensorRef, other: TensorRef) -> bool:
        shape = self.types.shape(one)
        return shape == self.types.shape(other) and _sizes(shape) is not None

    def _undoes(self, node: Node, before: Node) -> bool:
        """Whether ``node`` takes back what ``before`` did, whatever the shapes are."""
        axis = self._axis(node) if {node.op, before.op} == {"Squeeze", "ExpandDims"} else None
        return axis is not None and axis == self._axis(before)

    def _axis(self, node: Node) -> int | None:
        if node.op == "Squeeze":
            axes = node.attrs.get("squeeze_dims", ())
            return int(axes[0]) if len(axes) == 1 else None
        value = source(self.editor, node.inputs[1]).value
        return int(value.item()) if value is not None and value.size == 1 else None


def _sizes(shape: Shape) -> list[int] | None:
    """The shape for a Reshape; None when the number of elements does not decide on what is open in it."""
    if shape is None or shape.count(None) > 1 or (None in shape and 0 in shape):
        return None
    return [-1 if size is None else size for size in shape]
