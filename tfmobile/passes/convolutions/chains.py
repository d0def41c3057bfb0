"""Chains: a layer, or several that are joined, and the scales, shifts and moves that follow with nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import LINEAR_OPS, is_channel_first, output_channels
from tfmobile.graph.match import Constants, source
from tfmobile.graph.model import Array, Node, TensorRef
from tfmobile.passes.affine import Layout, Step, read_step
from tfmobile.passes.convolutions.moves import POSITIVE_ONLY, axis_of, concat_axis, moved

Wanted: TypeAlias = Callable[[Step], bool]
"""Which steps make a chain worth folding."""

CONCATS = frozenset({"Concat", "ConcatV2"})
_SUMS = frozenset({"Add", "AddV2", "AddN"})


@dataclass(frozen=True)
class Link:
    """A node of a chain: it does a ``step``, or moves values about. ``layout`` is that of its output."""

    node: Node
    layout: Layout
    step: Step | None = None


@dataclass
class Chain:
    """What follows ``start``: a layer, or a node that joins the ``branches``. ``stop`` says why it ends."""

    start: Node
    layout: Layout
    branches: tuple[Chain, ...] = ()
    links: list[Link] = field(default_factory=list)
    stop: str = ""

    @property
    def data(self) -> TensorRef:
        """Where it ends."""
        return TensorRef(self.links[-1].node.name if self.links else self.start.name)

    @property
    def end(self) -> Layout:
        """The layout there."""
        return self.links[-1].layout if self.links else self.layout

    @property
    def steps(self) -> list[Step]:
        """The scales and shifts, in order."""
        return [link.step for link in self.links if link.step is not None]

    def layers(self) -> Iterator[Node]:
        """The layers it starts from."""
        waiting = [self]
        while waiting:
            chain = waiting.pop()
            if not chain.branches:
                yield chain.start
            waiting.extend(reversed(chain.branches))


def constant_weights(editor: GraphEditor, constants: Constants, layer: Node) -> Array | None:
    """The weights of a layer, as they are stored or computed; None when they are not constant."""
    ref = layer.inputs[LINEAR_OPS[layer.op].weights]
    stored = source(editor, ref).value
    weights = stored if stored is not None else constants(ref)
    return None if weights is None or weights.ndim < 2 else weights


def layer_chain(layer: Node, weights: Array) -> Chain:
    """The chain that starts at ``layer``, still without links."""
    return Chain(layer, Layout(output_channels(layer, weights), LINEAR_OPS[layer.op].rank, is_channel_first(layer)))


def follow(editor: GraphEditor, constants: Constants, chain: Chain) -> Node | None:
    """Add links as far as they go; the node that reads the end and is no link, if it is the only one."""
    while True:
        data = chain.data
        reader = _only_reader(editor, data, chain)
        if reader is None:
            return None
        step = read_step(editor, constants, reader, data, chain.end)
        if isinstance(step, Step):
            chain.links.append(Link(reader, chain.end, step))
            continue
        layout = None if isinstance(step, str) else moved(editor, reader, data, chain.end)
        if layout is None:
            chain.stop = step if isinstance(step, str) else ""
            return reader
        chain.links.append(Link(reader, layout))


def _only_reader(editor: GraphEditor, data: TensorRef, chain: Chain) -> Node | None:
    if data in editor.outputs:
        chain.stop = f"the output of '{data}' is a model output"
        return None
    if data.node in editor.inputs:
        chain.stop = f"'{data}' is a model input"
        return None
    readers = editor.readers(data)
    if len(readers) > 1:
        names = ", ".join(f"'{node.name}'" for node in readers[:3])
        chain.stop = f"the output of '{data}' is read by {len(readers)} nodes ({names})"
    return readers[0] if len(readers) == 1 else None


def joined_inputs(node: Node) -> tuple[TensorRef, ...]:
    """The tensors that a concatenation or sum joins; none for another node, or when it reads one twice."""
    if node.op in _SUMS:
        refs = node.inputs
    elif node.op in CONCATS:
        refs = node.inputs[:-1] if node.op == "ConcatV2" else node.inputs[1:]
    else:
        return ()
    return refs if len(refs) > 1 and len(set(refs)) == len(refs) else ()


def join(editor: GraphEditor, node: Node, branches: tuple[Chain, ...]) -> Chain | None:
    """The chain that starts where ``node`` joins the branches; None when their channels do not lie alike."""
    ends = [branch.end for branch in branches]
    first = ends[0]
    if first.rank is None or any(end.rank != first.rank or end.first != first.first for end in ends):
        return None
    axis = concat_axis(editor, node, first.rank) if node.op in CONCATS else None
    if node.op in CONCATS and axis is None:
        return None
    if axis == axis_of(first):
        return Chain(node, Layout(sum(end.channels for end in ends), first.rank, first.first), branches)
    if any(end.channels != first.channels for end in ends):
        return None
    return Chain(node, first, branches)


def shares(editor: GraphEditor, chain: Chain, scale: Array, offset: Array) -> list[tuple[Array, Array]]:
    """What each branch takes of a scale and offset that follow where they are joined."""
    if chain.start.op in CONCATS:
        ends = [branch.end for branch in chain.branches]
        if concat_axis(editor, chain.start, ends[0].rank or 2) == axis_of(ends[0]):
            cuts = np.cumsum([end.channels for end in ends])[:-1]
            return list(zip(np.split(scale, cuts), np.split(offset, cuts), strict=True))
        return [(scale, offset)] * len(chain.branches)
    return [(scale, offset if place == 0 else np.zeros_like(offset)) for place in range(len(chain.branches))]


def through(chain: Chain, scale: Array, offset: Array) -> tuple[Array, Array] | str:
    """The scale and offset at the chain's start that do what its steps, and then ``scale`` and ``offset``, do."""
    with np.errstate(all="ignore"):
        for link in reversed(chain.links):
            if link.step is not None:
                scale, offset = scale * link.step.scale, scale * link.step.offset + offset
            elif link.node.op in POSITIVE_ONLY and not (scale > 0).all():
                return f"'{link.node.name}' ({link.node.op}) stands before it, and not all its scales are positive"
    return scale, offset
