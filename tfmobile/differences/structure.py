"""What was added, removed, renamed and changed between two sides whose parts are matched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tfmobile.differences.facts import ChangedField, ChangedNode, NodeFact, OpCounts, RenamedNode, Structure
from tfmobile.differences.matching import Matching
from tfmobile.differences.sides import Constant, Part, Side, Source
from tfmobile.graph.distance import distance, largest
from tfmobile.graph.ops import default_attributes
from tfmobile.graph.text import attr_text

_ABSENT = "absent"


def structure(a: Side, b: Side, found: Matching) -> Structure:
    """Of two sides of one kind: graphs, or .tflite files."""
    changed, renamed = [], []
    matched = 0
    for name, other in ((name, found.to_b[name]) for name in a.parts if name in found.to_b):
        if other not in b.parts:
            continue
        matched += 1
        one, two = a.parts[name], b.parts[other]
        fields = tuple(_fields(a, one, two, found))
        if fields:
            changed.append(ChangedNode(name, other, one.op, fields))
        elif name != other:
            renamed.append(RenamedNode(name, other, one.op))
    return Structure(
        matched=matched,
        only_a=tuple(NodeFact(part.name, part.op) for part in a.parts.values() if part.name not in found.to_b),
        only_b=tuple(NodeFact(part.name, part.op) for part in b.parts.values() if part.name not in found.to_a),
        renamed=tuple(renamed),
        changed=tuple(changed),
        ops=_counts(a, b),
    )


def across_kinds(a: Side, b: Side, found: Matching) -> Structure:
    """Of a graph and a .tflite, in either order: which nodes and operators have nothing on the other side."""
    graph, tflite, to_tflite = (a, b, found.to_b) if a.kind == "graph" else (b, a, found.to_a)
    fused = {alias for part in tflite.parts.values() for alias in part.aliases} | to_tflite.keys()
    inputs = {end.ref.node for end in graph.inputs}
    left = tuple(
        NodeFact(part.name, part.op)
        for part in graph.parts.values()
        if part.name not in fused and part.name not in inputs and not graph.is_constant(part.name)
    )
    operators = set(to_tflite.values())
    alone = tuple(NodeFact(part.name, part.op) for part in tflite.parts.values() if part.name not in operators)
    ours, theirs = (left, alone) if graph is a else (alone, left)
    return Structure(len(operators), ours, theirs, (), (), _counts(a, b))


def _counts(a: Side, b: Side) -> tuple[OpCounts, ...]:
    before, after = (Counter(part.op for part in side.parts.values()) for side in (a, b))
    every = sorted(before.keys() | after.keys(), key=lambda op: (-max(before[op], after[op]), op))
    return tuple(OpCounts(op, before[op], after[op]) for op in every)


def _fields(a: Side, one: Part, two: Part, found: Matching) -> Iterator[ChangedField]:
    if one.op != two.op:
        yield ChangedField("op", one.op, two.op)
    yield from _settings(a, one, two)
    yield from _inputs(one, two, found)
    ours = {found.to_b.get(name, name) for name in one.controls}
    if ours != set(two.controls):
        yield ChangedField("control inputs", _listed(one.controls), _listed(two.controls))
    yield from _texts(one.traits, two.traits)
    if one.constant is not None and two.constant is not None:
        yield from _values("value", one.constant, two.constant)


def _settings(a: Side, one: Part, two: Part) -> Iterator[ChangedField]:
    """The settings of one op; an attribute that a graph leaves out has its default."""
    if one.op != two.op:
        return
    defaults: dict[str, str] = {}
    if a.kind == "graph" and one.settings.keys() != two.settings.keys():
        defaults = {key: attr_text(value) for key, value in (default_attributes(one.op) or {}).items()}
    yield from _texts({**defaults, **one.settings}, {**defaults, **two.settings})


def _texts(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[ChangedField]:
    for key in sorted(ours.keys() | theirs.keys()):
        before, after = ours.get(key, _ABSENT), theirs.get(key, _ABSENT)
        if before != after:
            yield ChangedField(key, before, after)


def _inputs(one: Part, two: Part, found: Matching) -> Iterator[ChangedField]:
    if len(one.inputs) != len(two.inputs):
        before, after = (f"{len(part.inputs)}: {_listed(map(_spelled, part.inputs))}" for part in (one, two))
        yield ChangedField("inputs", before, after)
        return
    for index, (ours, theirs) in enumerate(zip(one.inputs, two.inputs, strict=True)):
        if isinstance(ours, Constant) and isinstance(theirs, Constant):
            yield from _values(f"input {index}", ours, theirs)
        elif isinstance(ours, Constant) or isinstance(theirs, Constant) or found.moved(ours) != theirs:
            yield ChangedField(f"input {index}", _spelled(ours), _spelled(theirs))


def _values(what: str, ours: Constant, theirs: Constant) -> Iterator[ChangedField]:
    if ours.digest == theirs.digest:
        return
    before, after = ours.restore(), theirs.restore()
    gap = relative = None
    if before is not None and after is not None and before.shape == after.shape:
        gap, scale = distance(before, after), largest(before)
        relative = gap / scale if scale else gap
    if gap != 0 or ours.kind != theirs.kind:
        yield ChangedField(what, ours.text, theirs.text, gap, relative)
    if ours.quantization != theirs.quantization:
        yield ChangedField(f"{what} quantization", ours.quantization or _ABSENT, theirs.quantization or _ABSENT)


def _spelled(source: Source) -> str:
    if source is None:
        return "none"
    return f"constant {source.text}" if isinstance(source, Constant) else str(source)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
