"""Moves the chosen nodes, and puts the Transposes where the order of axes changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.model import Array, DType, Graph, Node, Shape, ShapeAttr, TensorRef
from tfmobile.passes.layout.choosing import TRANSPOSE, Choice, Sides, Want
from tfmobile.passes.layout.flooding import Movable
from tfmobile.passes.layout.permutations import Perm, compose, identity, inverse, memory_order, permuted
from tfmobile.passes.layout.tensors import Use


class Move:
    """One rewrite of ``graph``. Names keep their values: what is moved is called ``name/suffix``."""

    def __init__(self, graph: Graph, choice: Choice, sides: Sides, suffix: str) -> None:
        self._graph = graph
        self._choice = choice
        self._tensors = choice.tensors
        self._facts = choice.tensors.facts
        self._sides = sides
        self._suffix = suffix
        self._editor = GraphEditor(graph)
        self._twins: dict[str, str] = {}
        self._orders: dict[TensorRef, list[Perm]] = {}
        self._there: dict[tuple[TensorRef, Perm], TensorRef] = {}
        self._constants: dict[tuple[TensorRef, str, bytes], TensorRef] = {}
        self._names = self._alias_names()
        self.moved = [found for name, found in choice.movable.items() if sides[name] != found.natural]
        self.inserted: dict[str, str] = {}

    def run(self) -> Graph:
        """The graph after it. ``inserted`` then has the Transposes that are new, and for each the node it is for."""
        moved = {found.node.name: found for found in self.moved}
        for node in self._tensors.nodes:
            if self._tensors.is_alias(node.name):
                continue
            if node.name in moved:
                self._move(moved[node.name])
            else:
                self._read_anew(node)
        for spec in self._graph.outputs:
            self._keep_output(spec.ref)
        for ref, (root, _) in self._tensors.aliases.items():
            self._editor.redirect_controls(ref.node, [self._source(root).node])
        graph = self._editor.finish()
        self.inserted = {name: reader for name, reader in self.inserted.items() if name in graph.nodes}
        return graph

    def _alias_names(self) -> dict[tuple[TensorRef, Perm], str]:
        """The Transposes there are, by what they give; model outputs before others."""
        found: dict[tuple[TensorRef, Perm], str] = {}
        for ref, (root, perm) in self._tensors.aliases.items():
            key = (root, self._tensors.settled(root, perm))
            if key not in found or ref in self._tensors.outputs:
                found[key] = ref.node
        return found

    def _move(self, found: Movable) -> None:
        node, turn = found.node, found.turn
        inputs = tuple(self._turned_input(found, position, ref) for position, ref in enumerate(node.inputs))
        op = turn.op or node.op
        attrs = {"T": node.attrs["T"]} if turn.op else {**node.attrs, **turn.attrs}
        if node.name in self._tensors.inputs:
            shape = permuted(self._facts.shape(TensorRef(node.name)), turn.outputs[0])
            self._editor.update(node.name, attrs={**attrs, "shape": ShapeAttr(shape)})
            return
        if all(self._made(TensorRef(node.name, index)) == identity(len(perm)) for index, perm in turn.outputs.items()):
            self._editor.update(node.name, op=op, inputs=inputs, attrs=attrs)  # the values are those of before
            return
        twin = Node(self._editor.fresh(f"{node.name}/{self._suffix}"), op, inputs, node.controls, attrs, node.device)
        self._editor.add(twin, beside=node.name)
        self._editor.redirect_controls(node.name, [twin.name])
        self._twins[node.name] = twin.name
        self._know_twin(found, twin.name)

    def _know_twin(self, found: Movable, name: str) -> None:
        index = 0
        while (old := TensorRef(found.node.name, index)) in self._facts.types:
            shape = self._facts.shape(old)
            perm = found.turn.outputs.get(index)
            self._know(TensorRef(name, index), shape if perm is None else permuted(shape, perm), self._facts.dtype(old))
            index += 1

    def _turned_input(self, found: Movable, position: int, ref: TensorRef) -> TensorRef:
        node, turn = found.node, found.turn
        if position in turn.constants:
            return self._constant(ref, turn.constants[position], node.name)
        if position in turn.picks:
            return self._picked(ref, turn.picks[position], node)
        return self._input(node, position, ref)

    def _read_anew(self, node: Node) -> None:
        """Let a node that stays read what it read, from where that is now."""
        if node.op == "Shape" and self._shape_anew(node):
            return
        inputs = tuple(self._input(node, position, ref) for position, ref in enumerate(node.inputs))
        if inputs != node.inputs:
            self._editor.update(node.name, inputs=inputs)

    def _input(self, node: Node, position: int, ref: TensorRef) -> TensorRef:
        """The tensor that ``node`` is to read as its input ``position``."""
        found = self._tensors.resolve(ref)
        if found is None:
            return self._source(ref)
        root, perm = found
        use = Use(node, position, perm)
        side = self._sides.get(node.name)
        want = self._choice.want(root, use, side)
        if want is None:
            return self._source(root)
        if not want.loose:
            return self._get(root, want.perm, node.name)
        shape = self._facts.shape(root) or want.perm
        if memory_order(self._made(root), shape) == want.perm:
            return self._source(root)
        same = [order for order in self._wanted(root) if memory_order(order, shape) == want.perm]
        return self._get(root, same[0], node.name)

    def _as_it_was(self, ref: TensorRef, reader: str) -> TensorRef:
        """The tensor in the order of before."""
        found = self._tensors.resolve(ref)
        return self._source(ref) if found is None else self._get(found[0], self._tensors.settled(*found), reader)

    def _shape_anew(self, node: Node) -> bool:
        """Take the sizes of the tensor as it is now, in the order of before; False where that is the same."""
        found = self._tensors.resolve(node.inputs[0])
        if found is None:
            return False
        root, perm = found
        step = compose(inverse(self._made(root)), self._tensors.settled(root, perm))
        if step == identity(len(step)):
            return False
        sizes = Node(
            self._editor.fresh(f"{node.name}/{self._suffix}"),
            "Shape",
            (self._source(root),),
            (),
            node.attrs,
            node.device,
        )
        self._editor.add(sizes, beside=node.name)
        kind = self._facts.dtype(TensorRef(node.name))
        self._know(TensorRef(sizes.name), (len(step),), kind)
        self._editor.replace(self._gather(node.name, TensorRef(sizes.name), step, kind, node.name, node.controls))
        return True

    def _keep_output(self, ref: TensorRef) -> None:
        """A model output keeps its name and its value."""
        found = self._tensors.resolve(ref)
        if found is None or ref.node in self._tensors.inputs:
            return
        root, perm = found
        kept = self._get(root, self._tensors.settled(root, perm), ref.node)
        if kept != ref:
            attrs = {"T": DType(self._facts.dtype(ref))}
            self._editor.replace(Node(ref.node, "Identity", (kept,), (), attrs, self._editor[ref.node].device))

    def _made(self, root: TensorRef) -> Perm:
        return self._choice.made(root, self._sides.get(root.node))

    def _source(self, root: TensorRef) -> TensorRef:
        """The tensor that is made for the root."""
        return TensorRef(self._twins.get(root.node, root.node), root.index)

    def _wanted(self, root: TensorRef) -> Sequence[Perm]:
        if root not in self._orders:
            self._orders[root] = self._choice.orders(root, self._sides)
        return self._orders[root]

    def _get(self, root: TensorRef, perm: Perm, reader: str) -> TensorRef:
        """The root in the order ``perm``; a Transpose for it stands beside the first node that asks."""
        made = self._made(root)
        if perm == made:
            return self._source(root)
        key = (root, perm)
        if key not in self._there:
            self._there[key] = self._put(root, made, perm, reader)
        return self._there[key]

    def _put(self, root: TensorRef, made: Perm, perm: Perm, reader: str) -> TensorRef:
        name = self._name(root, perm)
        device = self._editor[root.node].device
        source = self._source(root)
        value = self._editor[root.node].value
        step = compose(inverse(made), perm)
        if value is not None and self._tensors.is_free(root):
            turned = np.ascontiguousarray(value.transpose(step))
            self._know(TensorRef(name), turned.shape, self._facts.dtype(root))
            return self._add_or_replace(constant(name, turned), reader, stays=False)
        kind = DType(self._facts.dtype(root))
        shape = permuted(self._facts.shape(root), perm)
        if self._choice.cost(root, made, Want(perm)) < TRANSPOSE:
            sizes = np.array([-1 if size is None else size for size in shape or ()], np.int32)
            to = self._own(f"{name}/shape", sizes, reader)
            attrs = {"T": kind, "Tshape": DType("int32")}
            node = Node(name, "Reshape", (source, to), (), attrs, device)
        else:
            to = self._own(f"{name}/perm", np.array(step, np.int32), reader)
            node = Node(name, "Transpose", (source, to), (), {"T": kind, "Tperm": DType("int32")}, device)
        self._know(TensorRef(name), shape, kind.name)
        return self._add_or_replace(node, reader, stays=made == identity(len(made)))

    def _add_or_replace(self, node: Node, reader: str, *, stays: bool) -> TensorRef:
        """Put a Transpose in its place; one that ``stays`` and reads the same may be there already."""
        old = self._editor.get(node.name)
        if old is None:
            self._editor.add(node, beside=reader)
            self.inserted[node.name] = reader
        elif not stays or old.op != node.op or old.inputs[:1] != node.inputs[:1]:
            self._editor.replace(node)
            if node.name in self._twins:
                self.inserted[node.name] = reader
        return TensorRef(node.name)

    def _name(self, root: TensorRef, perm: Perm) -> str:
        known = self._names.get((root, perm))
        if known is not None:
            return known
        if root.node in self._twins and root.index == 0 and perm == identity(len(perm)):
            return root.node
        index = f"/{root.index}" if root.index else ""
        suffix = "nchw" if perm == identity(len(perm)) else self._suffix
        if root.node in self._twins:
            suffix = "transposed"
        return self._editor.fresh(f"{root.node}{index}/{suffix}")

    def _constant(self, stands_for: TensorRef, value: Array, beside: str) -> TensorRef:
        """A constant in the place of another, once for all that read it so."""
        key = (stands_for, str((value.dtype, value.shape)), value.tobytes())
        if key not in self._constants:
            self._constants[key] = self._own(f"{stands_for.node}/{self._suffix}", value, beside)
        return self._constants[key]

    def _own(self, name: str, value: Array, beside: str) -> TensorRef:
        ref = self._editor.add_constant(name, value, beside=beside)
        self._know(ref, value.shape, value.dtype.name)
        return ref

    def _picked(self, ref: TensorRef, rows: Perm, node: Node) -> TensorRef:
        """The rows of ``ref`` in another order."""
        value = self._facts.value(ref)
        if value is not None:
            return self._constant(ref, np.ascontiguousarray(value[list(rows)]), node.name)
        name = self._editor.fresh(f"{ref.node}/{self._suffix}")
        kind = self._facts.dtype(ref)
        self._editor.add(
            self._gather(name, self._as_it_was(ref, node.name), rows, kind, node.name, ()), beside=node.name
        )
        self._know(TensorRef(name), self._facts.shape(ref), kind)
        return TensorRef(name)

    def _gather(self, name: str, ref: TensorRef, rows: Perm, kind: str, beside: str, controls: tuple[str, ...]) -> Node:
        indices = self._own(f"{name}/perm", np.array(rows, np.int32), beside)
        axis = self._own(f"{name}/axis", np.array(0, np.int32), beside)
        kinds = {"Tparams": DType(kind), "Tindices": DType("int32"), "Taxis": DType("int32"), "batch_dims": 0}
        return Node(name, "GatherV2", (ref, indices, axis), controls, kinds, self._editor[beside].device)

    def _know(self, ref: TensorRef, shape: Shape, dtype: str) -> None:
        self._facts.types[ref] = (shape, dtype)
