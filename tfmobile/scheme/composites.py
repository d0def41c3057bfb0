"""Activations written out in several nodes, which the converter makes one int8 op of: no range belongs inside of them.

Each is found from the op in its middle. What the nodes compute may be read by nothing else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, Node, TensorRef
from tfmobile.scheme.int8 import SUMS


@dataclass(frozen=True)
class Composite:
    """``op`` of ``data``: its last node is ``tail``, and ``inner`` are the others."""

    op: str
    data: TensorRef
    tail: str
    inner: tuple[str, ...]


def composites(editor: GraphEditor) -> dict[str, Composite]:
    """All there are in the graph, by the name of their last node."""
    found = (_MIDDLES[node.op](editor, node) for node in editor if node.op in _MIDDLES)
    return {one.tail: one for one in found if one is not None}


def _hard_swish(editor: GraphEditor, gate: Node) -> Composite | None:
    """``x · relu6(x + 3) / 6``, multiplied in any order."""
    shifted = editor[gate.inputs[0].node]
    data = _beside(editor, shifted, 3.0) if shifted.op in SUMS else None
    if data is None or not _is_chain(editor, [shifted, gate]):
        return None
    steps = [gate]
    left = {"data", "sixth"}
    while left:
        reader = editor.only_reader(TensorRef(steps[-1].name))
        step = "" if reader is None else _step(editor, reader, steps[-1].name, data)
        if reader is None or step not in left:
            return None
        left.remove(step)
        steps.append(reader)
    return _composite("HardSwish", data, [shifted, *steps])


def _step(editor: GraphEditor, node: Node, read: str, data: TensorRef) -> str:
    """Whether a node multiplies what it reads by the ``data``, or by a ``sixth``."""
    if node.op == "Mul" and data in node.inputs:
        return "data"
    return "sixth" if _scaled(editor, node, 1 / 6) == TensorRef(read) else ""


def _gelu(editor: GraphEditor, erf: Node) -> Composite | None:
    """``(0.5 · x) · (1 + erf(x / √2))``."""
    scaled = editor[erf.inputs[0].node]
    data = _scaled(editor, scaled, 1 / math.sqrt(2))
    shifted = editor.only_reader(TensorRef(erf.name))
    if data is None or shifted is None or shifted.op not in SUMS or _beside(editor, shifted, 1.0) is None:
        return None
    return _halved(editor, data, [scaled, erf, shifted])


def _gelu_by_complement(editor: GraphEditor, erfc: Node) -> Composite | None:
    """``(0.5 · x) · erfc(−x / √2)``, which is the same."""
    scaled = editor[erfc.inputs[0].node]
    turned = _scaled(editor, scaled, 1 / math.sqrt(2))
    negative = None if turned is None else editor[turned.node]
    if negative is None or negative.op != "Neg":
        return None
    return _halved(editor, negative.inputs[0], [negative, scaled, erfc])


def _halved(editor: GraphEditor, data: TensorRef, nodes: Sequence[Node]) -> Composite | None:
    """The nodes, and behind them the product with half of ``data``."""
    tail = editor.only_reader(TensorRef(nodes[-1].name))
    if tail is None or tail.op != "Mul" or not _is_chain(editor, [*nodes, tail]):
        return None
    half = next((editor[ref.node] for ref in tail.inputs if ref.node != nodes[-1].name), None)
    if half is None or _scaled(editor, half, 0.5) != data or not _is_chain(editor, [half, tail]):
        return None
    return _composite("Gelu", data, [half, *nodes, tail])


def _l2_normalization(editor: GraphEditor, root: Node) -> Composite | None:
    """``x · rsqrt(max(Σ x², ε))``, where the sum is over one axis that can be the last."""
    largest = editor[root.inputs[0].node]
    total = next((editor[ref.node] for ref in largest.inputs if editor[ref.node].op == "Sum"), None)
    square = None if total is None else editor[total.inputs[0].node]
    tail = editor.only_reader(TensorRef(root.name))
    if total is None or square is None or tail is None or largest.op != "Maximum" or square.op != "Square":
        return None
    data, axis = square.inputs[0], source(editor, total.inputs[1]).value
    if axis is None or axis.size != 1 or not axis.any():
        return None
    if tail.op != "Mul" or data not in tail.inputs or not _is_chain(editor, [square, total, largest, root, tail]):
        return None
    return _composite("L2Normalization", data, [square, total, largest, root, tail])


_MIDDLES: Mapping[str, Callable[[GraphEditor, Node], Composite | None]] = {
    "Relu6": _hard_swish,
    "Erf": _gelu,
    "Erfc": _gelu_by_complement,
    "Rsqrt": _l2_normalization,
}


def _composite(op: str, data: TensorRef, nodes: Sequence[Node]) -> Composite:
    return Composite(op, data, nodes[-1].name, tuple(node.name for node in nodes[:-1]))


def _is_chain(editor: GraphEditor, nodes: Sequence[Node]) -> bool:
    """Whether each node is read by the next one, and by nothing else."""
    return all(editor.only_reader(TensorRef(one.name)) == other for one, other in itertools.pairwise(nodes))


def _beside(editor: GraphEditor, node: Node, wanted: float) -> TensorRef | None:
    """The other input of a node of two, when one is a constant of the value that is wanted."""
    for place, ref in enumerate(node.inputs[:2]):
        if _is(source(editor, ref).value, wanted):
            return node.inputs[1 - place]
    return None


def _scaled(editor: GraphEditor, node: Node, factor: float) -> TensorRef | None:
    """What the node multiplies by the factor, if it does."""
    if node.op == "RealDiv":
        return node.inputs[0] if _is(source(editor, node.inputs[1]).value, 1 / factor) else None
    return _beside(editor, node, factor) if node.op == "Mul" else None


def _is(value: Array | None, wanted: float) -> bool:
    return value is not None and value.size == 1 and bool(np.isclose(value.reshape(()), wanted, rtol=1e-5))
