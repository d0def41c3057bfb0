"""Recognise dropout as it stands in frozen graphs: a random mask, a scale by 1/keep, and the product of both with x.

TF1, keep_prob:  x / keep · floor(uniform + keep)
TF1.13+, rate:   x · (1 / (1 − rate)) · cast(uniform >= rate)
TF2, Keras:      select(uniform >= rate, x · scale, 0)
alpha dropout:   a · (x · mask + α′ · (1 − mask)) + b      (Klambauer et al. 2017)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import PASS_THROUGH, Constants, origin
from tfmobile.graph.model import Node, TensorRef

RANDOM_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "StatefulUniform"})
_ARITHMETIC = PASS_THROUGH | frozenset(
    {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Reciprocal", "Inv", "Cast", "Pow", "Neg", "Sqrt", "Rsqrt"}
)
_SUMS = frozenset({"Add", "AddV2"})
_COMPARE = frozenset({"GreaterEqual", "Greater", "Less", "LessEqual"})
_NAMES = ("keep_prob", "keepprob", "dropout", "drop_rate", "learning_phase", "is_training", "phase_train")
_DEPTH = 12


@dataclass(frozen=True)
class Dropout:
    """``output`` is dropout of ``data``; ``probability`` draws the mask, and drops nothing when it is ``neutral``."""

    output: str
    data: TensorRef
    probability: TensorRef
    neutral: float


@dataclass(frozen=True)
class _Mask:
    probability: TensorRef
    neutral: float


def find_dropouts(editor: GraphEditor) -> Iterator[Dropout]:
    """Every dropout, in the order of the nodes. The graph may be changed while walking."""
    for node in editor:
        if node.op in RANDOM_UNIFORM and node.name in editor:
            yield from _from_random(editor, node)


def _from_random(editor: GraphEditor, random: Node) -> Iterator[Dropout]:
    """Walk forward from the random numbers to the mask, then to what is masked."""
    waiting, seen = [(random.name, 0)], {random.name}
    while waiting:
        name, depth = waiting.pop()
        for reader in editor.consumers(name):
            mask = _mask(editor, reader, name)
            if mask is not None:
                yield from _masked(editor, reader, mask, 0)
            elif reader.op in _ARITHMETIC and depth < _DEPTH and reader.name not in seen:
                seen.add(reader.name)
                waiting.append((reader.name, depth + 1))


def _mask(editor: GraphEditor, node: Node, random: str) -> _Mask | None:
    """The mask ``node`` makes of random numbers: a comparison, or the floor of a sum."""
    if node.op in _COMPARE and len(node.inputs) == 2:
        random_first = node.inputs[0].node == random
        probability = node.inputs[1] if random_first else node.inputs[0]
        drops_low = (node.op in ("GreaterEqual", "Greater")) == random_first
        return _Mask(probability, 0.0 if drops_low else 1.0) if scalar(editor, probability) else None
    if node.op == "Floor":
        total = editor[node.inputs[0].node]
        if total.op in _SUMS:
            for ref, other in (total.inputs, total.inputs[::-1]):
                if scalar(editor, ref) and not scalar(editor, other):
                    return _Mask(ref, 1.0)
    return None


def _masked(editor: GraphEditor, node: Node, mask: _Mask, depth: int) -> Iterator[Dropout]:
    """Walk from the mask, through casts, to the product or selection."""
    ref = TensorRef(node.name)
    for reader in editor.readers(ref):
        data: TensorRef | None = None
        output: str | None = reader.name
        if reader.op in PASS_THROUGH | {"Cast"} and depth < _DEPTH:
            yield from _masked(editor, reader, mask, depth + 1)
        elif reader.op == "Mul":
            output, data = _product(editor, reader, _other(reader, ref), mask)
        elif reader.op in ("SelectV2", "Select") and reader.inputs[0] == ref and _is_zero(editor, reader.inputs[2]):
            data = _unscaled(editor, reader.inputs[1], mask)
        if data is not None and output is not None:
            yield Dropout(output, data, mask.probability, mask.neutral)


def _product(editor: GraphEditor, node: Node, other: TensorRef, mask: _Mask) -> tuple[str | None, TensorRef | None]:
    """The output and x of the dropout whose mask is multiplied with ``other`` in ``node``."""
    if scalar(editor, other):
        return None, None
    alpha = _alpha(editor, node)
    if alpha is not None:
        return alpha, other
    data = _unscaled(editor, other, mask)
    if data is not None:
        return node.name, data
    return _scaled_after(editor, node, mask), other


def _unscaled(editor: GraphEditor, ref: TensorRef, mask: _Mask) -> TensorRef | None:
    """x, when ``ref`` is x · 1/keep or x / keep."""
    node = editor[origin(editor, ref).node]
    for data, scale in _scalings(editor, node):
        if _undoes(editor, scale, mask, divides=node.op != "Mul"):
            return data
    return None


def _scaled_after(editor: GraphEditor, node: Node, mask: _Mask) -> str | None:
    """The node that scales the masked x by 1/keep, when that comes last."""
    reader = editor.only_reader(TensorRef(node.name))
    if reader is None:
        return None
    for data, scale in _scalings(editor, reader):
        if data == TensorRef(node.name) and _undoes(editor, scale, mask, divides=reader.op != "Mul"):
            return reader.name
    return None


def _scalings(editor: GraphEditor, node: Node) -> Iterator[tuple[TensorRef, TensorRef]]:
    """(x, scale) for a product or quotient of x and one number."""
    if node.op in ("Mul", "RealDiv", "Div") and len(node.inputs) == 2:
        first, second = node.inputs
        if scalar(editor, second) and not scalar(editor, first):
            yield first, second
        elif node.op == "Mul" and scalar(editor, first) and not scalar(editor, second):
            yield second, first


def _undoes(editor: GraphEditor, scale: TensorRef, mask: _Mask, *, divides: bool) -> bool:
    """Whether the scale is 1/keep: in numbers where they are known, else by hanging on the same placeholder."""
    constants = Constants(editor)
    factor, probability = constants(scale), constants(mask.probability)
    if factor is None or probability is None:
        return not _placeholders(editor, mask.probability).isdisjoint(_placeholders(editor, scale))
    keep = float(probability.item()) if mask.neutral else 1.0 - float(probability.item())
    return abs(float(factor.item()) - (keep if divides else 1.0 / keep if keep else 0.0)) < 1e-3


def _alpha(editor: GraphEditor, node: Node) -> str | None:
    """The last node of an alpha dropout whose x · mask is ``node``: plus what replaces the dropped, times a, plus b."""
    for wanted, constant in ((_SUMS, False), (frozenset({"Mul"}), True), (_SUMS | {"Sub"}, True)):
        ref = TensorRef(node.name)
        reader = editor.only_reader(ref)
        if reader is None or reader.op not in wanted or constant != scalar(editor, _other(reader, ref)):
            return None
        node = reader
    return node.name


def scalar(editor: GraphEditor, ref: TensorRef, depth: int = 0) -> bool:
    """Whether ``ref`` is one number that does not depend on data: a constant, a scalar placeholder, or made of such."""
    node = editor[ref.node]
    if node.op == "Const":
        return node.value is not None and node.value.size == 1 and node.value.dtype != object
    if node.op == "Placeholder":
        return is_phase_placeholder(editor, node)
    if node.op not in _ARITHMETIC or depth > _DEPTH or not node.inputs:
        return False
    return all(scalar(editor, item, depth + 1) for item in node.inputs)


def is_phase_placeholder(editor: GraphEditor, node: Node) -> bool:
    """A placeholder for one number that is no input of the model, or one with a name that tells (keep_prob, …).

    Old graphs store shape [] for an unknown shape, so that a shape alone does not tell.
    """
    if node.op != "Placeholder":
        return False
    dims = getattr(node.attrs.get("shape"), "dims", None)
    named = any(word in node.name.lower() for word in _NAMES)
    return not dims and (named or (dims == () and node.name not in editor.inputs))


def _placeholders(editor: GraphEditor, ref: TensorRef, depth: int = 0) -> set[str]:
    node = editor[ref.node]
    if node.op == "Placeholder":
        return {node.name}
    if depth > _DEPTH:
        return set()
    return set[str]().union(*(_placeholders(editor, item, depth + 1) for item in node.inputs))


def _other(node: Node, ref: TensorRef) -> TensorRef:
    return node.inputs[1] if node.inputs[0] == ref else node.inputs[0]


def _is_zero(editor: GraphEditor, ref: TensorRef) -> bool:
    node = editor[origin(editor, ref).node]
    if node.op in ("ZerosLike", "Fill"):
        return node.op == "ZerosLike" or _is_zero(editor, node.inputs[1])
    value = node.value
    return value is not None and value.dtype != object and not value.any()
