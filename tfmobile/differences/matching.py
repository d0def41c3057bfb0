"""Which part of A is which part of B: by name, else by what it does with what."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping

from tfmobile.differences.sides import Constant, Part, Side, Source
from tfmobile.graph.match import PASS_THROUGH
from tfmobile.graph.model import TensorRef

Key = tuple[object, ...]
_PASSED = PASS_THROUGH | {"QUANTIZE", "DEQUANTIZE"}


class Matching:
    """``to_b`` maps names of A, of parts and inputs, to names of B; ``to_a`` is the way back."""

    def __init__(self) -> None:
        self.to_b: dict[str, str] = {}
        self.to_a: dict[str, str] = {}

    def add(self, ours: str, theirs: str) -> bool:
        """Pair two names unless one of them is taken."""
        if ours in self.to_b or theirs in self.to_a:
            return False
        self.to_b[ours], self.to_a[theirs] = theirs, ours
        return True

    def moved(self, source: Source) -> Source:
        """What a part of A reads, under the name it has in B; unmatched names stay."""
        if isinstance(source, TensorRef):
            return TensorRef(self.to_b.get(source.node, source.node), source.index)
        return source


def match(a: Side, b: Side, ends: Iterable[tuple[str, str]]) -> Matching:
    """Match two sides of one kind; ``ends`` are the names of inputs and outputs that belong together.

    First come equal names, then inputs and outputs. What is left is matched in execution order by op, settings and
    inputs, with equal constants; then with constants of equal shape, which finds the layers of another training, or of
    a quantized file, under other names. Operators of a .tflite are matched by the first node they were fused from, too.
    """
    found = Matching()
    for name in a.parts:
        if name in b.parts:
            found.add(name, name)
    for ours, theirs in ends:
        if _op(a, ours) == _op(b, theirs):
            found.add(ours, theirs)
    if a.kind == "tflite":
        _by_label(a, b, found)
    for exact in (True, False):
        _by_content(a, b, found, exact)
    for ours, theirs in list(found.to_b.items()):
        _pair_constants(a, b, ours, theirs, found)
    _constants(a, b, found)
    return found


def match_names(graph: Side, tflite: Side) -> Matching:
    """Match nodes of a graph with operators of a .tflite: an operator is the last of the nodes it was fused from."""
    found = Matching()
    position = {name: index for index, name in enumerate(graph.parts)}
    for part in reversed(list(tflite.parts.values())):
        nodes = [name for name in part.aliases if name in position and not graph.is_constant(name)]
        for name in sorted(nodes, key=position.__getitem__, reverse=True)[:1]:
            found.add(name, part.name)
    return found


def inverse(matching: Matching) -> Matching:
    """The same, seen from B."""
    found = Matching()
    found.to_b, found.to_a = matching.to_a, matching.to_b
    return found


def _op(side: Side, name: str) -> str:
    return side.parts[name].op if name in side.parts else ""


def _by_label(a: Side, b: Side, found: Matching) -> None:
    def named(side: Side, taken: Mapping[str, str]) -> dict[Key, list[str]]:
        groups: dict[Key, list[str]] = defaultdict(list)
        for name, part in side.parts.items():
            if name not in taken:
                groups[part.op, side.label(name)].append(name)
        return groups

    theirs = named(b, found.to_a)
    for key, names in named(a, found.to_b).items():
        if len(names) == 1 and len(theirs.get(key, ())) == 1:
            found.add(names[0], theirs[key][0])


def _by_content(a: Side, b: Side, found: Matching, exact: bool) -> None:
    waiting: dict[Key, deque[Part]] = defaultdict(deque)
    for part in _open(b, found.to_a):
        waiting[_key(b, part, Matching(), exact)].append(part)
    for part in _open(a, found.to_b):
        same = waiting.get(_key(a, part, found, exact))
        while same:
            other = same.popleft()
            if found.add(part.name, other.name):
                break


def _open(side: Side, taken: Mapping[str, str]) -> Iterator[Part]:
    """The parts that are not matched yet; constants, and what passes them on, follow what reads them."""
    for name, part in side.parts.items():
        held = part.constant is not None or (part.op in _PASSED and side.is_constant(name))
        if name not in taken and not held:
            yield part


def _key(side: Side, part: Part, found: Matching, exact: bool) -> Key:
    inputs = []
    for source in part.inputs:
        start = origin(side, source)
        if isinstance(start, Constant):
            start = TensorRef(f"constant {start.digest if exact else start.shape}")
        inputs.append(found.moved(start))
    return part.op, tuple(sorted(part.settings.items())), tuple(inputs)


def origin(side: Side, source: Source) -> Source:
    """What is read, past Identity and its like and changes of the number type: a tensor, or a constant."""
    while isinstance(source, TensorRef):
        part = side.parts.get(source.node)
        if part is None or source.index:
            return source
        if part.constant is not None:
            return part.constant
        if part.op not in _PASSED or not part.inputs:
            return source
        source = part.inputs[0]
    return source


def _pair_constants(a: Side, b: Side, ours: str, theirs: str, found: Matching) -> None:
    """Pair the constants that two matched parts read, and what passes them on."""
    part, other = a.parts.get(ours), b.parts.get(theirs)
    if part is None or other is None or part.op != other.op or len(part.inputs) != len(other.inputs):
        return
    for one, two in zip(part.inputs, other.inputs, strict=True):
        while isinstance(one, TensorRef) and isinstance(two, TensorRef):
            if not (a.is_constant(one.node) and b.is_constant(two.node)):
                break
            first, second = a.parts[one.node], b.parts[two.node]
            if first.op != second.op or not found.add(first.name, second.name) or not first.inputs:
                break
            one, two = first.inputs[0], second.inputs[0]


def _constants(a: Side, b: Side, found: Matching) -> None:
    """Constants that are left and have equal content."""
    waiting: dict[str, deque[str]] = defaultdict(deque)
    for name, part in b.parts.items():
        if part.constant is not None and name not in found.to_a:
            waiting[part.constant.digest].append(name)
    for name, part in a.parts.items():
        if part.constant is not None and name not in found.to_b and waiting.get(part.constant.digest):
            found.add(name, waiting[part.constant.digest].popleft())
