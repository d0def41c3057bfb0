"""Operations together in boxes: a layer with its bias, batch norm and activation is one; so is a chain of reshapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tfmobile.inspection.drawing.operation import Operation
from tfmobile.inspection.drawing.roles import INPUT, LAYERS, OUTPUT, colour

_BEFORE = {"pad": LAYERS | {"pool"}}
"""What may begin a box, and the roles that go on."""
_STEPS = frozenset({"affine", "norm"})
_AFTER = {
    **dict.fromkeys(LAYERS, _STEPS | {"activation", "unpad"}),
    "unpad": _STEPS | {"activation"},
    "affine": _STEPS | {"activation"},
    "norm": _STEPS | {"activation"},
    "join": _STEPS | {"activation"},
    "pool": frozenset({"shape"}),
    "shape": frozenset({"shape"}),
}
"""What may follow a role in its box: an activation ends it."""
_GATES = frozenset({"activation", "affine"})
_LONGEST_GATE = 4
_MOST_STEPS = 5


@dataclass(frozen=True)
class Box:
    """What is drawn as one. ``main`` decides its colour; ``inputs`` are keys of boxes.

    ``title`` names the main operation, ``steps`` the others; ``count`` operations are in it.
    """

    key: str
    colour: str
    title: str
    steps: str
    name: str
    operations: tuple[Operation, ...]
    inputs: tuple[str, ...]

    @property
    def last(self) -> Operation:
        """The one whose output leaves the box."""
        return self.operations[-1]

    @property
    def is_end(self) -> bool:
        """Whether it is a model input or output."""
        return self.operations[0].end in (INPUT, OUTPUT)

    @property
    def parameters(self) -> int:
        """Of all operations."""
        return sum(one.parameters for one in self.operations)

    @property
    def macs(self) -> int:
        """Of all operations, those that are not known left out."""
        return sum(one.macs or 0 for one in self.operations)

    @property
    def warning(self) -> str:
        """What speaks against one of the operations."""
        return next((f"{one.op}: {one.warning}" for one in self.operations if one.warning), "")


def boxes(operations: Sequence[Operation]) -> list[Box]:
    """The operations in boxes, in the order of the first of each."""
    groups = _Groups(operations)
    members: dict[str, list[Operation]] = {}
    for one in operations:
        members.setdefault(groups.head(one.key), []).append(one)
    return [_box(head, group, groups) for head, group in members.items()]


class _Groups:
    """Which operation begins the box of each."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.known = {one.key: one for one in operations}
        self.readers: dict[str, list[Operation]] = {one.key: [] for one in operations}
        for one in operations:
            for key in one.inputs:
                if key in self.readers:
                    self.readers[key].append(one)
        self._head: dict[str, str] = {}
        self._goes_on: dict[str, str] = {}
        """The role by which it is decided what follows: a quantizer leaves that of what it quantizes."""
        for one in operations:
            if one.key not in self._head:
                self._head[one.key] = self._join(one)
            self._gate(one)

    def head(self, key: str) -> str:
        return self._head[key]

    def _join(self, one: Operation) -> str:
        """The box of what ``one`` reads, when it alone reads it and may follow there; else its own."""
        before = self.known.get(one.inputs[0]) if len(one.inputs) == 1 else None
        self._goes_on[one.key] = one.role
        if before is None or before.key not in self._head or len(self.readers[before.key]) != 1 or before.follows:
            return one.key
        role = self._goes_on.get(before.key, before.role)
        quantizes = one.role == "quantizer" and not before.end
        if not quantizes and one.role not in _BEFORE.get(role, _AFTER.get(role, frozenset())):
            return one.key
        if quantizes:
            self._goes_on[one.key] = role
        return self._head[before.key]

    def _gate(self, one: Operation) -> None:
        """Put x · sigmoid(x), and x · relu6(x + 3) / 6, into the box of x."""
        readers = self.readers[one.key]
        if len(readers) != 2:
            return
        product = next((reader for reader in readers if reader.op in ("Mul", "MUL") and len(reader.inputs) == 2), None)
        if product is None:
            return
        path: list[Operation] = []
        step = next(reader for reader in readers if reader is not product)
        while step is not product:
            following = self.readers[step.key]
            alone = len(step.inputs) == 1 and len(following) == 1
            if not alone or step.role not in _GATES or len(path) == _LONGEST_GATE:
                return
            path.append(step)
            step = following[0]
        if one.role in LAYERS | _STEPS | {"join"}:
            self._head.update((member.key, self._head[one.key]) for member in (*path, product))


def _box(head: str, group: Sequence[Operation], groups: _Groups) -> Box:
    main = next((one for one in group if one.role in LAYERS), None) or _leading(group)
    inside = {one.key for one in group}
    read = (key for one in group for key in one.inputs if key not in inside and key in groups.known)
    return Box(
        key=head,
        colour=colour(main.role),
        title=main.name if main.end else main.label,
        steps=_steps(group, main),
        name="" if main.end else main.name,
        operations=tuple(group),
        inputs=tuple(dict.fromkeys(groups.head(key) for key in read)),
    )


def _leading(group: Sequence[Operation]) -> Operation:
    """A pooling rather than the padding before it."""
    return next((one for one in group if one.role != "pad"), group[0])


def _steps(group: Sequence[Operation], main: Operation) -> str:
    if main.end:
        return main.op
    place = group.index(main)
    before = [one.label for one in group[:place]]
    after = [label for one in group[place:] for label in ([] if one is main else [one.label]) + [one.follows] if label]
    words = _folded(after)
    text = " · ".join(words[:_MOST_STEPS]) + (f" · {len(words) - _MOST_STEPS} more" if len(words) > _MOST_STEPS else "")
    return " · ".join(filter(None, (f"after {' · '.join(before)}" if before else "", text)))


def _folded(words: Iterable[str]) -> list[str]:
    """Swish in one word, where a gate is all there is of it."""
    found = list(words)
    for gate, name in ((["Sigmoid", "Mul"], "Swish"), (["LOGISTIC", "MUL"], "SWISH")):
        if found[-2:] == gate:
            return [*found[:-2], name]
    return found


def renamed(box: Box, heads: dict[str, str]) -> Box:
    """The box with inputs under the keys of the boxes they went into."""
    return replace(box, inputs=tuple(dict.fromkeys(heads[key] for key in box.inputs if heads[key] != box.key)))
