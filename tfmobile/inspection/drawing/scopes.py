"""Fewer boxes for a large model: those of one name scope together, then chains, then only the first ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tfmobile.inspection.drawing.boxes import Box, renamed
from tfmobile.inspection.drawing.roles import SCOPE, short

MOST_BOXES = 500
_MOST_KINDS = 4
_PARTS = re.compile(r"/|(?<=[0-9])_")
"""Where a name has parts: at slashes, and after a number, as in block_3_expand."""


@dataclass
class _Scope:
    """A part of the tree of names: boxes directly in it, and the scopes below."""

    name: str
    boxes: list[Box] = field(default_factory=list)
    inner: dict[str, _Scope] = field(default_factory=dict)

    def all(self) -> list[Box]:
        found, waiting = [], [self]
        while waiting:
            scope = waiting.pop()
            found += scope.boxes
            waiting += scope.inner.values()
        return found


def fewer(boxes: Sequence[Box], most: int = MOST_BOXES) -> tuple[list[Box], list[str]]:
    """At most ``most`` boxes, and sentences on what was put together or left out."""
    if len(boxes) <= most:
        return list(boxes), []
    scopes, chains = _merged(boxes, _by_scope(boxes, most)), _merged(boxes, _by_chain(boxes))
    too_many = f"{len(boxes):,} boxes would be too many to read"
    for found, how in ((chains, "chains of them"), (scopes, "those of one name scope")):
        if len(found) <= most and len(found) >= min(len(scopes), most):
            return found, [f"{too_many}: {how} are drawn as one."]
    kept = {box.key for box in chains[:most]}
    few = [renamed(box, {key: key if key in kept else box.key for key in box.inputs}) for box in chains[:most]]
    return few, [f"{too_many}: chains of them are drawn as one, and of those only the first {most:,}."]


def _by_scope(boxes: Sequence[Box], most: int) -> dict[str, tuple[str, list[Box]]]:
    """Key of the first box → scope and boxes; scopes are opened, the outermost first, as long as there is room."""
    root = _tree(boxes)
    closed, opened = [root], 0
    groups: list[tuple[str, list[Box]]] = []
    total = 1
    while closed:
        scope = closed.pop(0)
        size = len(scope.boxes) + len(scope.inner)
        if total - 1 + size > most and opened:
            groups.append((scope.name, scope.all()))
            continue
        opened += 1
        total += size - 1
        groups += [("", [box]) for box in scope.boxes]
        closed += scope.inner.values()
    order = {box.key: place for place, box in enumerate(boxes)}
    found = {}
    for name, group in groups:
        group.sort(key=lambda box: order[box.key])
        found[group[0].key] = (name, group)
    return found


def _tree(boxes: Iterable[Box]) -> _Scope:
    root = _Scope("")
    for box in boxes:
        scope = root
        for end in () if box.is_end else _PARTS.finditer(box.name):
            name = box.name[: end.start()]
            scope = scope.inner.setdefault(name, _Scope(name))
        scope.boxes.append(box)
    return root


def _by_chain(boxes: Sequence[Box]) -> dict[str, tuple[str, list[Box]]]:
    """Boxes that only follow one another."""
    readers = Counter(key for box in boxes for key in box.inputs)
    head: dict[str, str] = {}
    found: dict[str, tuple[str, list[Box]]] = {}
    for box in boxes:
        before = box.inputs[0] if len(box.inputs) == 1 else None
        joins = before in head and readers[before] == 1 and not box.is_end and not _ends(found[head[before]][1])
        head[box.key] = head[before] if joins and before is not None else box.key
        if head[box.key] in found:
            found[head[box.key]][1].append(box)
        else:
            found[box.key] = ("", [box])
    return found


def _ends(group: Sequence[Box]) -> bool:
    return any(box.is_end for box in group)


def _merged(boxes: Sequence[Box], groups: Mapping[str, tuple[str, list[Box]]]) -> list[Box]:
    heads = {box.key: head for head, (_, group) in groups.items() for box in group}
    made = []
    for box in boxes:
        if box.key in groups:
            name, group = groups[box.key]
            made.append(renamed(box if len(group) == 1 else _together(name, group), heads))
    return made


def _together(name: str, group: Sequence[Box]) -> Box:
    operations = tuple(one for box in group for one in box.operations)
    kinds = Counter(short(one.op) for one in operations).most_common()
    words = [f"{kind} ×{number}" if number > 1 else kind for kind, number in kinds[:_MOST_KINDS]]
    more = len(kinds) - _MOST_KINDS
    return Box(
        key=group[0].key,
        colour=SCOPE,
        title=name.rpartition("/")[2] or f"{len(operations):,} operations",
        steps=", ".join(words) + (f", {more} more" if more > 0 else ""),
        name=name or group[0].name,
        operations=operations,
        inputs=tuple(dict.fromkeys(key for box in group for key in box.inputs)),
    )
