"""The first tensor that differs, in the order in which B computes, and what is known about the way there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tfmobile.differences.ends import Ends
from tfmobile.differences.facts import ChangedField, ChangedNode, Divergence, Structure, TensorGap
from tfmobile.differences.matching import Matching
from tfmobile.differences.sides import Constant, Part, Side, Source
from tfmobile.differences.strangers import nearest
from tfmobile.graph.match import PASS_THROUGH
from tfmobile.graph.model import TensorRef

_MOST_FACTS = 8


class Search:
    """``gaps`` are those of B's tensors, in its execution order."""

    def __init__(
        self, b: Side, ends: Ends, found: Matching, changes: Structure, gaps: Mapping[TensorRef, TensorGap]
    ) -> None:
        self._b, self._gaps, self._found = b, gaps, found
        self._inputs = {theirs.ref for _, theirs in ends.inputs}
        self._changed = {node.other: node for node in changes.changed}

    def first(self) -> Divergence | None:
        """The first that differs."""
        return next((self._told(ref, gap) for ref, gap in self._gaps.items() if gap.differs), None)

    def _told(self, ref: TensorRef, gap: TensorGap) -> Divergence:
        part = self._b.parts[ref.node]
        before = nearest(self._b, part, self._gaps.keys() | self._inputs)
        agree = all(source in self._inputs or not self._gaps[source].differs for source in before)
        facts = [*self._own(part), *self._read(part), *(self._agreement(part, source) for source in before)]
        return Divergence(gap, agree, tuple(facts[:_MOST_FACTS]))

    def _own(self, part: Part) -> Iterator[str]:
        node = self._changed.get(part.name)
        for field in node.fields if node else ():
            if field.max_abs is not None:
                yield f"Its constant {field.what} moved by up to {_number(field)}."
            elif not field.what.startswith(("input", "version")):
                yield f"Its {field.what}: {field.before} in A, {field.after} in B."

    def _read(self, part: Part) -> Iterator[str]:
        """The constants it reads that are not the same in A."""
        for source in part.inputs:
            name = self._constant(source)
            if name is None:
                continue
            if name not in self._found.to_a:
                yield f"It reads the constant '{name}', which A does not have."
            elif name in self._changed:
                yield f"It reads the constant '{name}'{_how(self._changed[name])}."

    def _constant(self, source: Source) -> str | None:
        while isinstance(source, TensorRef) and self._b.is_constant(source.node):
            part = self._b.parts[source.node]
            if part.op not in PASS_THROUGH or part.name in self._changed or part.name not in self._found.to_a:
                return part.name
            source = part.inputs[0]
        return None

    def _agreement(self, part: Part, source: TensorRef) -> str:
        direct = any(source == one for one in part.inputs if not isinstance(one, Constant))
        name = self._b.label(str(source))
        before = f"Its input '{name}'" if direct else f"'{name}', before it,"
        if source in self._inputs:
            return f"{before} is what both were fed."
        return f"{before} {'differs too' if self._gaps[source].differs else 'still agrees'}."


def _how(node: ChangedNode) -> str:
    moved = next((field for field in node.fields if field.max_abs is not None), None)
    if moved is None:
        return ", which is not the same in A"
    return f", which moved by up to {_number(moved)}"


def _number(field: ChangedField) -> str:
    relative = "" if field.max_rel is None else f" ({field.max_rel:.3g} of its largest value)"
    return f"{field.max_abs:.3g}{relative}"
