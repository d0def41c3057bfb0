"""Which nodes could work in which order: spread from where the order of axes changes over all that can follow.

There are two sides, A and B, the same for everything that is connected: ``natural`` says on which side a node is now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from dataclasses import dataclass

from tfmobile.graph.model import Node, TensorRef
from tfmobile.passes.layout.permutations import Perm, compose, identity, inverse
from tfmobile.passes.layout.rules import backward, forward
from tfmobile.passes.layout.tensors import Tensors
from tfmobile.passes.layout.turns import Turn

A, B = 0, 1


@dataclass(frozen=True)
class Movable:
    """A node that can work on the other side, by ``turn``."""

    node: Node
    natural: int
    turn: Turn


class Flood:
    """Finds what is movable. ``pairs`` holds for each root its order on side A, and on side B."""

    def __init__(self, tensors: Tensors, placeholders: Set[str] = frozenset()) -> None:
        self.movable: dict[str, Movable] = {}
        self.pairs: dict[TensorRef, tuple[Perm, Perm]] = {}
        self._tensors = tensors
        self._placeholders = placeholders
        self._waiting: deque[TensorRef] = deque()

    def start(self, root: TensorRef, pair: tuple[Perm, Perm]) -> None:
        """Spread from a root that has these orders on the two sides."""
        self._pair(root, pair)
        self.spread()

    def spread(self) -> None:
        """Go on from all that was added."""
        while self._waiting:
            found = self._waiting.popleft()
            self._to_readers(found)
            self._to_source(found)

    def add(self, node: Node, natural: int, turn: Turn) -> None:
        """A node that is movable, and its tensors with it."""
        self.movable[node.name] = Movable(node, natural, turn)
        for position, perm in turn.inputs.items():
            found = self._tensors.resolve(node.inputs[position])
            if found is not None:
                root, now = found
                self._pair(root, _ordered(natural, now, compose(now, perm)))
        for index, perm in turn.outputs.items():
            self._pair(TensorRef(node.name, index), _ordered(natural, identity(len(perm)), perm))

    def _pair(self, root: TensorRef, pair: tuple[Perm, Perm]) -> None:
        if root not in self.pairs and pair[A] != pair[B] and not self._tensors.is_free(root):
            self.pairs[root] = pair
            self._waiting.append(root)

    def _to_readers(self, root: TensorRef) -> None:
        for use in self._tensors.uses.get(root, ()):
            if use.node is None or use.node.name in self.movable or self._tensors.fixed(use.node):
                continue
            side = self._side(root, use.perm)
            if side is not None:
                perm = compose(inverse(use.perm), self.pairs[root][1 - side])
                turn = forward(self._tensors.facts, use.node, use.position, perm)
                if turn is not None:
                    self.add(use.node, side, turn)

    def _to_source(self, root: TensorRef) -> None:
        node = self._tensors.by_name[root.node]
        now = identity(len(self.pairs[root][A]))
        side = self._side(root, now)
        if side is None or node.name in self.movable:
            return
        perm = self.pairs[root][1 - side]
        if node.name in self._placeholders:
            self.add(node, side, Turn({}, {0: perm}))
        elif not self._tensors.fixed(node):
            turn = backward(self._tensors.facts, node, root.index, perm)
            if turn is not None:
                self.add(node, side, turn)

    def _side(self, root: TensorRef, perm: Perm) -> int | None:
        """The side on which the root has this order."""
        wanted = self._tensors.settled(root, perm)
        for side in (A, B):
            if self._tensors.settled(root, self.pairs[root][side]) == wanted:
                return side
        return None


def _ordered(natural: int, now: Perm, other: Perm) -> tuple[Perm, Perm]:
    return (now, other) if natural == A else (other, now)
