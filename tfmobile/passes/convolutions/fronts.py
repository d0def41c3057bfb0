"""Fronts: the scales, shifts and moves that stand directly before layers, with nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS, LINEAR_OPS, is_channel_first
from tfmobile.graph.match import Constants, origin
from tfmobile.graph.model import Array, Node, TensorRef
from tfmobile.passes.affine import Layout, Step, read_step
from tfmobile.passes.convolutions.chains import Link, constant_weights
from tfmobile.passes.convolutions.input_side import data_place, input_channels, pads_of, reads_channels_last
from tfmobile.passes.convolutions.integers import number_list, pairs
from tfmobile.passes.convolutions.moves import COPIES, MOVES, POSITIVE_ONLY, axis_of, moved
from tfmobile.passes.convolutions.windows import Pads
from tfmobile.passes.known_types import Types

PADS = frozenset({"Pad", "PadV2"})


@dataclass
class Front:
    """``layers`` all read ``bottom``, which ``links`` make of ``top``; the first link is one that can be folded."""

    layers: list[Node]
    bottom: TensorRef
    layout: Layout
    top: TensorRef
    links: list[Link] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        """The scales and shifts, from the top down."""
        return [link.step for link in self.links if link.step is not None]

    @property
    def folded(self) -> list[Node]:
        """What goes into the layers: the steps, and channels turned round."""
        return [link.node for link in self.links if link.step is not None or link.node.op == "ReverseV2"]

    @property
    def moves(self) -> list[Node]:
        """What stays in front of the layers, from the top down."""
        gone = COPIES | {"ReverseV2"}
        return [link.node for link in self.links if link.step is None and link.node.op not in gone]

    def __str__(self) -> str:
        """What goes into what."""
        return f"{named(self.folded)} into {named(self.layers)}"


@dataclass
class Sunk:
    """The steps of a front brought down to the layers: they read ``scale · x[order] + offset``, by channel.

    ``pads``: by the name of a padding, the value it must pad ``x`` with.
    """

    scale: Array
    offset: Array
    order: Array
    pads: dict[str, float] = field(default_factory=dict)


class Fronts:
    """Finds the fronts of a graph that is being changed, with a node that is ``wanted``.

    ``shapes`` are those of the graph before; they are asked for only where such a node is found.
    """

    def __init__(self, editor: GraphEditor, constants: Constants, types: Types, wanted: Callable[[Node], bool]) -> None:
        self._editor = editor
        self._constants = constants
        self._types = types
        self._wanted = wanted

    def __iter__(self) -> Iterator[Front]:
        """Each front as it is when its turn comes."""
        groups: dict[TensorRef, list[str]] = {}
        for node in self._editor:
            if node.op in LINEAR_OPS and reads_channels_last(node):
                groups.setdefault(node.inputs[data_place(node)], []).append(node.name)
        for bottom, names in groups.items():
            front = self._front(bottom, [self._editor[name] for name in names])
            if front is not None and any(self._wanted(node) for node in front.folded):
                yield front

    def _front(self, bottom: TensorRef, layers: list[Node]) -> Front | None:
        if not self._could_be(bottom, layers):
            return None
        weights = [constant_weights(self._editor, self._constants, layer) for layer in layers]
        known = [value for value in weights if value is not None]
        if len(known) < len(layers):
            return None
        channels = {input_channels(layer, value) for layer, value in zip(layers, known, strict=True)}
        firsts = {is_channel_first(layer) for layer in layers}
        ranks = {LINEAR_OPS[layer.op].rank for layer in layers}
        if len(channels) != 1 or len(firsts) != 1 or len(ranks) != 1:
            return None
        rank = ranks.pop()
        if rank is None:
            shape = self._types.shape(bottom)
            rank = len(shape) if shape is not None else None
        if rank is None:
            return None
        layout = Layout(channels.pop(), rank, firsts.pop())
        front = Front(layers, bottom, layout, bottom)
        self._climb(front)
        return front

    def _could_be(self, bottom: TensorRef, layers: list[Node]) -> bool:
        """Whether the node at the bottom may be a link and is read by these layers alone."""
        node = self._editor[bottom.node]
        if node.op not in _LINKS or bottom in self._editor.outputs or bottom.node in self._editor.inputs:
            return False
        if bottom.index or len(self._editor.readers(bottom)) != len(layers):
            return False
        return self._has_wanted(bottom)

    def _has_wanted(self, bottom: TensorRef) -> bool:
        """Whether there may be a node that is wanted: without shapes, which are costly."""
        ref: TensorRef | None = bottom
        while ref is not None and self._may_go(ref, ref != bottom):
            node = self._editor[ref.node]
            data = self._data(node)
            if data is not None and self._wanted(node):
                return True
            ref = data
        return False

    def _climb(self, front: Front) -> None:
        """Add links from the bottom up; moves above all that can be folded are left out."""
        ref, layout, found = front.bottom, front.layout, list[tuple[Link, TensorRef]]()
        while self._may_go(ref, bool(found)):
            node = self._editor[ref.node]
            data = self._data(node)
            link = None if data is None else self._link(node, data, layout, front)
            if data is None or link is None:
                break
            before, item = link
            found.append((item, data))
            ref, layout = data, before
        while found and found[-1][0].step is None and found[-1][0].node.op != "ReverseV2":
            found.pop()
        if found:
            front.top = found[-1][1]
            front.links = [item for item, _ in reversed(found)]

    def _may_go(self, ref: TensorRef, inside: bool) -> bool:
        if ref.index or ref.node in self._editor.inputs or ref in self._editor.outputs:
            return False
        return not inside or len(self._editor.readers(ref)) == 1

    def _data(self, node: Node) -> TensorRef | None:
        """What a link makes its output of: the input that is not constant."""
        if node.op not in _LINKS or not node.inputs:
            return None
        if node.op not in _ARITHMETIC:
            return node.inputs[0]
        moving = [ref for ref in node.inputs if self._constants(ref) is None]
        return moving[0] if len(moving) == 1 and len(node.inputs) == 2 else None

    def _link(self, node: Node, data: TensorRef, layout: Layout, front: Front) -> tuple[Layout, Link] | None:
        """The layout before the node, and the node as a link."""
        step = read_step(self._editor, self._constants, node, data, layout)
        if isinstance(step, Step) and self._keeps_shape(node, data, layout):
            return layout, Link(node, layout, step)
        if step is not None:
            return None
        before = self._before(node, data, layout, front)
        return None if before is None else (before, Link(node, layout))

    def _keeps_shape(self, node: Node, data: TensorRef, layout: Layout) -> bool:
        """Whether the constant is broadcast to the data, and not the data to the constant."""
        if node.op in BATCH_NORMS or node.op == "BiasAdd":
            return True
        other = next(ref for ref in node.inputs if ref != data)
        value = self._constants(other)
        if value is not None and value.ndim == 0:
            return True
        shape = self._types.shape(data)
        if value is None or shape is None or len(shape) != layout.rank:
            return False
        return value.size == 1 or shape[axis_of(layout)] == layout.channels

    def _before(self, node: Node, data: TensorRef, layout: Layout, front: Front) -> Layout | None:
        """The layout of what a move reads."""
        shape = self._types.shape(data)
        if shape is None or len(shape) < 2:
            return None
        for first in (False, True):
            channels = shape[1 if first else -1]
            if channels is None:
                continue
            before = Layout(channels, len(shape), first)
            if self._leads_to(node, data, before, layout, front):
                return before
        return None

    def _leads_to(self, node: Node, data: TensorRef, before: Layout, after: Layout, front: Front) -> bool:
        if node.op == "Reshape" and not before.first and not after.first:
            return after.channels % before.channels == 0 and before.channels > 0
        if node.op in PADS:
            added = pairs(self._editor, node.inputs[1])
            return before == after and bool(added) and len(added or ()) == before.rank and _untouched(added, before)
        if node.op == "ReverseV2":
            axes = number_list(self._editor, node.inputs[1])
            movable = all(layer.op != "DepthwiseConv2dNative" for layer in front.layers)
            rank = before.rank or 2
            turned = {axis % rank for axis in axes or ()}
            return before == after and movable and turned == {axis_of(before)}
        return moved(self._editor, node, data, before) == after

    def padded(self, front: Front) -> dict[str, Pads | None]:
        """The layers that put zeros around their input, by name, and how many; None where that is not known."""
        found = {layer.name: self._pads(front, layer) for layer in front.layers}
        return {name: pads for name, pads in found.items() if pads != ()}

    def _pads(self, front: Front, layer: Node) -> Pads | None:
        weights = constant_weights(self._editor, self._constants, layer)
        if weights is None:
            return None
        found = pads_of(layer, weights, None)
        if found is None:  # the size decides
            found = pads_of(layer, weights, self._types.shape(front.bottom))
        return () if found is not None and not any(map(any, found)) else found

    def sink(self, front: Front) -> Sunk | str:
        """Bring the steps down to the layers; or why that cannot be."""
        first = front.links[0].layout.channels
        sunk = Sunk(np.ones(first), np.zeros(first), np.arange(first))
        for link in front.links:
            with np.errstate(all="ignore"):
                problem = self._past(link, sunk)
            if problem:
                return problem
        if not (np.isfinite(sunk.scale).all() and np.isfinite(sunk.offset).all()):
            return "its scale and shift are not finite"
        return sunk

    def _past(self, link: Link, sunk: Sunk) -> str:
        node = link.node
        if link.step is not None:
            sunk.scale = sunk.scale * link.step.scale
            sunk.offset = sunk.offset * link.step.scale + link.step.offset
        elif node.op == "ReverseV2":
            sunk.scale, sunk.offset, sunk.order = sunk.scale[::-1], sunk.offset[::-1], sunk.order[::-1]
        elif node.op in POSITIVE_ONLY and not (sunk.scale > 0).all():
            return f"'{node.name}' ({node.op}) stands behind it, and not all its scales are positive"
        elif node.op in PADS:
            value = uniform_zero(sunk.scale, sunk.offset - self._padded_with(node))
            if value is None:
                return f"'{node.name}' ({node.op}) behind it pads with a value that would differ by channel"
            sunk.pads[node.name] = value
        elif link.layout.channels != sunk.scale.size:  # a Reshape that lines up all places
            times, count = link.layout.channels // sunk.scale.size, sunk.scale.size
            sunk.order = np.concatenate([sunk.order + count * place for place in range(times)])
            sunk.scale, sunk.offset = np.tile(sunk.scale, times), np.tile(sunk.offset, times)
        return ""

    def _padded_with(self, node: Node) -> float:
        if node.op == "Pad":
            return 0.0
        value = self._constants(node.inputs[2])
        return float(value) if value is not None and value.size == 1 else float("nan")


def named(nodes: Iterable[Node]) -> str:
    """The nodes for a sentence."""
    return ", ".join(f"'{node.name}' ({node.op})" for node in nodes)


def uniform_zero(scale: Array, offset: Array) -> float | None:
    """The ``x`` for which ``scale · x + offset`` is zero, when it is the same for all channels."""
    if not np.isfinite(offset).all() or not np.isfinite(scale).all() or (scale == 0).any():
        return None
    zeros = np.asarray(-offset / scale)
    middle = float(zeros.mean())
    return middle if np.abs(zeros - middle).max() <= 1e-9 * max(1.0, abs(middle)) else None


def follows_a_layer(editor: GraphEditor, front: Front) -> bool:
    """Whether the front continues a layer, whose bias it is."""
    return editor[origin(editor, front.top).node].op in LINEAR_OPS


def _untouched(added: tuple[tuple[int, int], ...] | None, layout: Layout) -> bool:
    return added is not None and added[axis_of(layout)] == (0, 0)


_ARITHMETIC = frozenset({"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div"})
_LINKS = _ARITHMETIC | PADS | BATCH_NORMS.keys() | MOVES | {"BiasAdd", "ReverseV2"}
