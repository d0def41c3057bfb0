"""Which of the movable nodes move: the choice that leaves the fewest Transposes.

A tensor costs a Transpose for each order that is read and not made; each node is on one of two sides. That is a minimum
cut, up to terms where a reader and the source would both have to move; there the higher cost is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tfmobile.graph.model import TensorRef
from tfmobile.passes.layout.flooding import A, B, Movable
from tfmobile.passes.layout.minimum_cut import INFINITE, MinimumCut
from tfmobile.passes.layout.permutations import Perm, compose, identity, memory_order
from tfmobile.passes.layout.tensors import Tensors, Use

TRANSPOSE = 2**40
"""More than all smaller costs together: they only decide between equal numbers of Transposes."""
RESHAPE = 2**20
_LARGEST = 2**16


@dataclass(frozen=True)
class Want:
    """An order that is read. A Reshape reads any order with the same values one after the other (``loose``)."""

    perm: Perm
    loose: bool = False


@dataclass
class Readers:
    """Who reads an order: some node that cannot move, or nodes when they are on a side."""

    always: bool = False
    sides: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))


Sides: TypeAlias = Mapping[str, int]


class Choice:
    """Costs of moving, and the cheapest choice."""

    def __init__(self, tensors: Tensors, movable: Mapping[str, Movable]) -> None:
        self.tensors = tensors
        self.movable = movable

    def made(self, root: TensorRef, side: int | None) -> Perm:
        """The order in which the root is made, when its node is on ``side``."""
        rank = self.tensors.facts.rank(root) or 0
        found = self.movable.get(root.node)
        perm = identity(rank)
        if found is not None and side != found.natural:
            perm = found.turn.outputs.get(root.index, perm)
        return self.tensors.settled(root, perm)

    def wanted(self, use: Use, side: int | None) -> Perm:
        """The order that a reader wants when it is on ``side``."""
        found = self.movable.get(use.node.name) if use.node is not None else None
        if found is None or side == found.natural or use.position not in found.turn.inputs:
            return use.perm
        return compose(use.perm, found.turn.inputs[use.position])

    def want(self, root: TensorRef, use: Use, side: int | None) -> Want | None:
        """What a reader wants of the root; None for one that any order serves (Shape, Size, Rank)."""
        if use.node is not None and use.node.op in ("Shape", "Size", "Rank"):
            return None
        perm = self.wanted(use, side)
        if use.node is not None and use.node.op == "Reshape" and use.position == 0:
            return Want(memory_order(perm, self.tensors.facts.shape(root) or perm), loose=True)
        return Want(self.tensors.settled(root, perm))

    def cost(self, root: TensorRef, made: Perm, want: Want) -> int:
        """What it costs to have the order."""
        shape = self.tensors.facts.shape(root) or ()
        order = memory_order(made, shape)
        if want.perm == (order if want.loose else made):
            return 0
        if not want.loose and order == memory_order(want.perm, shape) and shape.count(None) <= 1:
            return RESHAPE
        size = 1
        for item in shape:
            size *= item or 1
        return TRANSPOSE + min(size, _LARGEST)

    def readers(self, root: TensorRef) -> dict[Want, Readers]:
        """All orders of the root that may be read, and by whom."""
        found: dict[Want, Readers] = {}
        for use in self.tensors.uses.get(root, ()):
            name = use.node.name if use.node is not None and use.node.name in self.movable else ""
            options = {side: self.want(root, use, side) for side in (A, B)} if name else {}
            first = options.get(A) if name else self.want(root, use, None)
            if not name or first == options[B]:
                if first is not None:
                    found.setdefault(first, Readers()).always = True
                continue
            for side, want in options.items():
                if want is not None:
                    found.setdefault(want, Readers()).sides[side].append(name)
        return found

    def count(self, sides: Sides) -> tuple[int, int]:
        """How many Transposes and Reshapes there are with the nodes on these sides."""
        costs = [cost for root in self.tensors.uses for cost in self._costs(root, sides)]
        return sum(cost >= TRANSPOSE for cost in costs), sum(0 < cost < TRANSPOSE for cost in costs)

    def orders(self, root: TensorRef, sides: Sides) -> list[Perm]:
        """The orders of the root that are read and not made, when the nodes are on these sides."""
        made = self.made(root, sides.get(root.node))
        shape = self.tensors.facts.shape(root) or made
        found: dict[Perm, None] = {}
        loose: dict[Perm, Perm] = {}
        for use in self.tensors.uses.get(root, ()):
            side = sides.get(use.node.name) if use.node is not None else None
            want = self.want(root, use, side)
            if want is not None and want.loose:
                loose[want.perm] = self.tensors.settled(root, self.wanted(use, side))
            elif want is not None and want.perm != made:
                found[want.perm] = None
        there = {memory_order(perm, shape) for perm in (made, *found)}
        return [*found, *(perm for order, perm in loose.items() if order not in there)]

    def _costs(self, root: TensorRef, sides: Sides) -> Iterator[int]:
        if self.tensors.is_free(root):
            return
        made = self.made(root, sides.get(root.node))
        for perm in self.orders(root, sides):
            yield self.cost(root, made, Want(perm))


class Solver:
    """The minimum cut of one choice."""

    def __init__(self, choice: Choice, *, moving_costs: int = 0) -> None:
        self._choice = choice
        self._cut = MinimumCut()
        self._numbers = {name: self._cut.node() for name in choice.movable}
        for root in choice.tensors.uses:
            if not choice.tensors.is_free(root):
                self._add(root)
        for name, found in choice.movable.items() if moving_costs else ():
            self._on_side(self._numbers[name], 1 - found.natural, moving_costs)

    def best(self, must_move: Collection[str] = ()) -> Sides:
        """The side of each movable node. Where two choices are equal, the one with more nodes on side B."""
        for name in must_move:
            self._on_side(self._numbers[name], self._choice.movable[name].natural, INFINITE)
        on_a = self._cut.side_a()
        if on_a is None:
            return {name: B if must_move else found.natural for name, found in self._choice.movable.items()}
        return {name: A if number in on_a else B for name, number in self._numbers.items()}

    def _add(self, root: TensorRef) -> None:
        choice = self._choice
        readers = choice.readers(root)
        if root.node not in choice.movable and not any(any(item.sides) for item in readers.values()):
            return
        source = self._numbers.get(root.node)
        made = [choice.made(root, side) for side in (A, B)]
        for want, who in readers.items():
            costs = [choice.cost(root, perm, want) for perm in made]
            if who.always:
                if source is not None:
                    self._on_side(source, A, costs[A])
                    self._on_side(source, B, costs[B])
                continue
            for side in (A, B):
                names = who.sides[side]
                if names:
                    self._read(source, [self._numbers[name] for name in names], side, costs)

    def _read(self, source: int | None, nodes: list[int], side: int, costs: list[int]) -> None:
        """The cost when any of ``nodes`` is on ``side``: one for a source there, another for one that is not."""
        always, apart = costs[side], max(0, costs[1 - side] - costs[side])
        if always:
            self._any_on(side, nodes, MinimumCut.SOURCE if side == B else MinimumCut.SINK, always)
        if apart and source is not None:
            self._any_on(side, nodes, source, apart)

    def _any_on(self, side: int, nodes: list[int], other: int, cost: int) -> None:
        """``cost`` when any of ``nodes`` is on ``side`` and ``other`` is not."""
        between = nodes[0] if len(nodes) == 1 else self._cut.node()
        for node in nodes if len(nodes) > 1 else ():
            self._cut.edge(*((between, node) if side == B else (node, between)), INFINITE)
        self._cut.edge(*((other, between) if side == B else (between, other)), cost)

    def _on_side(self, node: int, side: int, cost: int) -> None:
        """``cost`` when ``node`` is on ``side``."""
        if cost:
            self._cut.edge(*((node, MinimumCut.SINK) if side == A else (MinimumCut.SOURCE, node)), cost)
