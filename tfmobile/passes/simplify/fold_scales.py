"""fold-scales: chains of scales and offsets become one Mul and one Add, or less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import Constants, attr_dtype, source
from tfmobile.graph.model import Array, Attr, Graph, Node, TensorRef
from tfmobile.passes.affine import is_nchw
from tfmobile.passes.known_types import Types
from tfmobile.passes.simplify.bypass import Bypass
from tfmobile.passes.simplify.scale_steps import Affine, Refused, Step, affine, combined, in_range, read_step, stretches

_EXACT = frozenset({"float32", "float64"})
_BEYOND = "its numbers are too large or too small for its type"


@dataclass(frozen=True)
class FoldScales:
    """Make one Mul and one Add of a chain of ``Mul``, ``RealDiv``, ``Add``, ``Sub``, ``BiasAdd`` and ``Neg`` by
    constants: ``(x · a + b) · c + d = x · (a · c) + (b · c + d)``, computed in float64 and rounded once.

    Of the two, a product with one and a sum with zero are left out; a chain that does nothing goes. Nothing is done
    where that would not save a node. The last node of the chain keeps its name; a last ``BiasAdd`` stays one. Constants
    may be expressions of constants.

    Left alone: chains with a node that something else reads, or of a model input or output in the middle; numbers that
    are not float32 or float64, since they are rounded, or wrap around, at each step; constants that together are larger
    than the largest of them; results beyond what the type can hold in full precision. So is a step after which an
    offset on the way is more than 256 times what is left of scale and offset: adding and taking away a large number
    rounds, and may be meant to. In graphs with TF1 control flow, steps by constants that live in a branch or loop.

    After a layer with constant weights, ``fold-batch-norms`` makes such a chain part of the layer. The Graph Transform
    Tool had nothing like it.
    """

    name: ClassVar[str] = "fold-scales"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence for each chain folded, and for each step at which one ends early."""
        editor = GraphEditor(graph)
        constants = Constants(editor)
        steps = {node.name: step for node in editor if (step := read_step(editor, constants, node)) is not None}
        work = _Folding(editor, constants, Types(graph, steps), Bypass(editor))
        for chain in _chains(editor, steps):
            work.fold(chain)
        result = editor.finish() if work.changed else graph
        return PassResult(result, tuple(work.changed), tuple(work.skipped))


def _chains(editor: GraphEditor, steps: dict[str, Step]) -> Iterator[list[Step]]:
    """The steps, each chain from its first to its last; a step alone is a chain too."""
    follows: dict[str, str] = {}
    for name in steps:
        readers = editor.consumers(name)
        after = steps.get(readers[0].name) if len(readers) == 1 and not editor.is_boundary(name) else None
        if after is not None and after.data == TensorRef(name):
            follows[name] = after.node.name
    inner = set(follows.values())
    for name in steps:
        if name in inner or name in editor.inputs:
            continue
        chain = [steps[name]]
        while name in follows and follows[name] not in editor.inputs:
            name = follows[name]
            chain.append(steps[name])
        yield chain


@dataclass
class _Folding:
    """The chains of one graph, one after the other."""

    editor: GraphEditor
    constants: Constants
    types: Types
    bypass: Bypass
    changed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def fold(self, chain: Sequence[Step]) -> None:
        """Fold as much as goes together at a time."""
        kind = attr_dtype(chain[0].node)
        if len(chain) == 1 and (kind not in _EXACT or not self._neutral(chain[0])):
            return
        if kind not in _EXACT:
            names = _listed([step.node for step in chain])
            self.skipped.append(f"Left {names}: numbers of type {kind} are rounded, or wrap around, at each step.")
            return
        part: list[Step] = []
        whole: Affine | None = None
        for step in chain:
            one = self._read(step, np.dtype(kind))
            both = one if isinstance(one, str) or whole is None else _both(whole, one, np.dtype(kind))
            if not isinstance(both, str):
                part.append(step)
                whole = both
                continue
            if len(chain) > 1:
                self.skipped.append(f"Ended a chain at '{step.node.name}' ({step.node.op}): {both}.")
            self._finish(part, whole)
            part, whole = ([], None) if isinstance(one, str) else ([step], one)
        self._finish(part, whole)

    def _read(self, step: Step, kind: np.dtype[Any]) -> Affine | Refused:
        """What the step does, where its constant can be moved and its numbers are sound."""
        value = np.array(-1.0) if step.by is None else self.constants(step.by)
        if value is None:
            return "its constant is not known"
        if self.bypass.control_flow and step.by is not None:
            node = self.editor[step.by.node]
            if node.op != "Const" or node.controls:
                return "its constant may live in a branch or loop"
        needs_rank = step.node.op == "BiasAdd" and is_nchw(step.node)
        one = affine(step, value, self.types.shape(step.data) if needs_rank else None)
        return one if isinstance(one, str) or in_range(one, kind) else _BEYOND

    def _neutral(self, step: Step) -> bool:
        """Whether a step alone may do nothing, by a look at its first number."""
        value = None if step.by is None else source(self.editor, step.by).value
        if value is None or value.size == 0:
            return step.by is not None
        first = float(value[(0,) * value.ndim])
        return first == (1.0 if step.node.op in ("Mul", "RealDiv", "Div") else 0.0)

    def _finish(self, part: Sequence[Step], whole: Affine | None) -> None:
        """Put what ``whole`` says in the place of the steps, when that saves a node."""
        if whole is None:
            return
        last, kind = part[-1].node, np.dtype(attr_dtype(part[-1].node))
        scale, offset = whole.scale.astype(kind), whole.offset.astype(kind)
        new = [array for array, neutral in ((scale, 1), (offset, 0)) if (array != neutral).any()]
        if len(new) >= len(part):
            return
        names = _listed([step.node for step in part])
        data = self.editor[part[0].node.name].inputs[part[0].place]  # as it is by now
        controls = tuple(dict.fromkeys(name for step in part for name in step.node.controls))
        shrinks = np.broadcast_shapes(*(array.shape for array in new)) != whole.shape
        if shrinks and stretches(whole.shape, self.types.shape(part[0].data)):
            self.skipped.append(f"Left {names}: the constants may give the result a larger shape.")
            return
        if new:
            self._rewrite(last, data, scale, offset, controls)
            made = "one node" if len(new) == 1 else "a Mul and a sum"
            self.changed.append(f"Made {made} of {names}.")
        elif reason := "they wait for other nodes" if controls else self.bypass.why_not(last, data):
            self.skipped.append(f"Left {names}: {reason}.")
        elif not self.bypass.idle(last):
            self.bypass(last, data, last.attrs.get("T"))
            self.changed.append(f"Removed {names}, which {'changes' if len(part) == 1 else 'change'} nothing.")

    def _rewrite(self, last: Node, data: TensorRef, scale: Array, offset: Array, controls: tuple[str, ...]) -> None:
        attrs: Mapping[str, Attr] = {"T": last.attrs["T"]}
        if not (offset != 0).any():
            by = self._constant(f"{last.name}/scale", scale, last, data)
            self.editor.replace(Node(last.name, "Mul", (data, by), controls, attrs, last.device))
            return
        if (scale != 1).any():
            by = self._constant(f"{last.name}/scale", scale, last, data)
            name = self.editor.fresh(f"{last.name}/scaled")
            scaled = self.editor.add(Node(name, "Mul", (data, by), (), attrs, last.device), beside=last.name)
            data = TensorRef(scaled.name)
        op, offset = ("AddV2", offset) if last.op != "BiasAdd" else self._bias(last, offset)
        by = self._constant(f"{last.name}/offset", offset, last, data)
        attrs = last.attrs if op == "BiasAdd" else attrs
        self.editor.replace(Node(last.name, op, (data, by), controls, attrs, last.device))

    def _bias(self, last: Node, offset: Array) -> tuple[str, Array]:
        """A bias where the offset has one number for each channel."""
        before = self.constants(last.inputs[1])
        fits = before is not None and before.size == offset.size
        return ("BiasAdd", offset.reshape(-1)) if fits else ("AddV2", offset)

    def _constant(self, name: str, value: Array, last: Node, data: TensorRef) -> TensorRef:
        """A Const that is alive where ``data`` is."""
        controls = (data.node,) if self.bypass.control_flow else ()
        return self.editor.add_constant(name, value, beside=last.name, controls=controls)


def _both(first: Affine, then: Affine, kind: np.dtype[Any]) -> Affine | Refused:
    both = combined(first, then)
    return both if isinstance(both, str) or in_range(both, kind) else _BEYOND


def _listed(nodes: Sequence[Node]) -> str:
    """The nodes of a chain, in short."""
    shown = [f"'{node.name}' ({node.op})" for node in nodes]
    if len(shown) > 4:
        return f"{shown[0]} … {shown[-1]} ({len(shown)} nodes)"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
