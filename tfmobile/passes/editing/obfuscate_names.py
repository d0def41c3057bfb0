"""obfuscate-names: short names that tell nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.model import Graph
from tfmobile.passes.editing.new_names import with_names

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class ObfuscateNames:
    """Name all nodes but the model's inputs and outputs by counting: 0, 1, …, 9, a, …, z, A, …, Z, 10, 11, …

    The names follow the order in which the nodes are stored, and pass over names that an input or output has. The file
    gets smaller, and does not tell how the model was built. As in the original, the function library is not touched:
    the names inside functions stay readable. ``obsfucate_names``, its old spelling, is known too.
    """

    name: ClassVar[str] = "obfuscate-names"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the new names; ``skipped`` says when functions keep theirs."""
        kept = {spec.ref.node for spec in (*graph.inputs, *graph.outputs)}
        free = (name for name in _counting() if name not in kept)
        names = {name: next(free) for name in graph.nodes if name not in kept}
        count = sum(1 for old, new in names.items() if old != new)
        skipped = ("Left the names inside the functions of the library.",) if graph.library else ()
        if not count:
            return PassResult(graph, (), skipped)
        what = f"Renamed {count} {'node' if count == 1 else 'nodes'}."
        return PassResult(with_names(graph, names), (what,), skipped)


def _counting() -> Iterator[str]:
    """All numbers to base 62."""
    return (_number(value) for value in itertools.count())


def _number(value: int) -> str:
    text = _DIGITS[value % 62]
    while value >= 62:
        value //= 62
        text = _DIGITS[value % 62] + text
    return text
