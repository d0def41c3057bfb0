"""fold-input-scale: preprocessing in the graph goes into the first layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS, LINEAR_OPS
from tfmobile.graph.match import PASS_THROUGH, Constants
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.passes.convolutions.before_layers import fold_front
from tfmobile.passes.convolutions.fronts import Front, Fronts, Sunk, follows_a_layer, named, uniform_zero
from tfmobile.passes.known_types import Types

_STEPS = frozenset({"Mul", "RealDiv", "Div", "Add", "AddV2", "Sub", "BiasAdd"}) | BATCH_NORMS.keys()
_FOLDED = _STEPS | {"ReverseV2"}


@dataclass(frozen=True)
class FoldInputScale:
    """Fold scales and shifts in front of a layer, such as ``x/127.5 − 1`` or ``(x − mean)/std``, into the layer.

    What is folded: chains of Mul, RealDiv, Add, Sub, BiasAdd and batch norms by constants, one number or one a channel,
    directly before Conv2D, DepthwiseConv2dNative, Conv3D, MatMul and the other layers with constant weights; several
    layers may read the chain. ``w∗(s·x + o) = (s·w)∗x + Σ w·o``: the layer gets new weights and a bias, which a BiasAdd
    behind it takes up. The layer's name, or that BiasAdd's, keeps its value. An Identity or Cast in front stays where
    it is; between the chain and the layer may stand what treats each channel alike (resizing, pooling, MirrorPad,
    Transpose, flattening), Pad, and ReverseV2 of the channels, which goes into the weights as well.

    Exact for dense layers and for convolutions without padding. A convolution that puts zeros around its input puts
    them around ``s·x + o``, so that a shift needs more: where the ``x`` with ``s·x + o = 0`` is one number for all
    channels and the padding is known, a PadV2 with that number and VALID padding; else ``x − (−o/s)`` stays in front as
    one subtraction, and only the scale is folded.

    Left alone: chains behind a layer (fold-batch-norms folds those), a lone shift before a convolution that pads with
    zeros, scales of zero, and whatever another node reads too.
    """

    name: ClassVar[str] = "fold-input-scale"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each chain, one in ``skipped`` for each left at a layer or an input."""
        editor = GraphEditor(graph)
        constants = Constants(editor)
        fronts = Fronts(editor, constants, Types(graph), lambda node: node.op in _FOLDED)
        changed: list[str] = []
        skipped: list[str] = []
        told: set[str] = set()
        for front in fronts:
            if follows_a_layer(editor, front):
                continue
            done, problem = _fold(editor, constants, fronts, front)
            if done:
                changed.append(done)
            else:
                skipped.append(f"Left {named(front.folded)}: {problem}.")
                told.update(node.name for node in front.folded)
        result = editor.finish() if changed else graph
        told.update(name for name in result.nodes if name not in graph.nodes)
        return PassResult(result, tuple(changed), (*skipped, *_at_inputs(result, told)))


def _fold(editor: GraphEditor, constants: Constants, fronts: Fronts, front: Front) -> tuple[str, str]:
    """What was done, or why nothing was."""
    sunk = fronts.sink(front)
    if isinstance(sunk, str):
        return "", sunk
    padded = fronts.padded(front) if sunk.offset.any() else {}
    known = {name: pads for name, pads in padded.items() if pads is not None}
    value = uniform_zero(sunk.scale, sunk.offset)
    if padded and (value is None or len(known) < len(padded)):
        why = "the number to pad with would differ by channel" if value is None else "what it pads is not known"
        return _fold_scale(editor, constants, front, sunk, next(iter(padded)), why)
    pad_value = value if value is not None and padded else 0.0
    problem = fold_front(editor, constants, front, sunk, padding=known, pad_value=pad_value)
    how = f"; the padding is of {pad_value:g} instead of zero now" if padded else ""
    return ("" if problem else f"Folded {front}{how}."), problem


def _fold_scale(
    editor: GraphEditor, constants: Constants, front: Front, sunk: Sunk, layer: str, why: str
) -> tuple[str, str]:
    """Fold the scale, and leave a subtraction."""
    reason = f"'{layer}' ({editor[layer].op}) puts zeros around its input, and {why}"
    if (sunk.scale == 1).all() and (np.diff(sunk.order) == 1).all():
        return "", f"it only shifts, {reason}"
    if (sunk.scale == 0).any():
        return "", f"it has a scale of zero, {reason}"
    problem = fold_front(editor, constants, front, sunk, shift_stays=True)
    return ("" if problem else f"Folded the scale of {front}; a subtraction stays: {reason}."), problem


def _at_inputs(graph: Graph, told: set[str]) -> Iterator[str]:
    """One sentence for each chain at a model input that leads to no layer, and that nothing was told of yet."""
    constants = Constants(graph.nodes)
    readers = graph.consumers()
    for spec in graph.inputs:
        chain, behind = _chain_at(constants, readers, spec.ref)
        if chain and told.isdisjoint(node.name for node in chain):
            yield f"Left {named(chain)}: {_obstacle(behind)}."


def _obstacle(behind: list[Node]) -> str:
    """Why the nodes behind a chain did not take it in."""
    names = named(behind[:3])
    if not behind:
        return "the model's output follows"
    if all(node.op in LINEAR_OPS for node in behind):
        return f"the weights of {names} are not constant, or the chain changes the number of channels"
    return f"{names} follows, not only layers with weights"


def _chain_at(constants: Constants, readers: dict[str, list[Node]], ref: TensorRef) -> tuple[list[Node], list[Node]]:
    """The scales and shifts that follow an input, and what reads the last of them."""
    chain: list[Node] = []
    while True:
        behind = readers[ref.node]
        node = behind[0] if len(behind) == 1 else None
        if node is None or (node.op not in _STEPS | PASS_THROUGH | {"Cast"}):
            return chain, behind
        if node.op in _STEPS:
            others = [item for item in node.inputs if item != ref]
            if len(others) < len(node.inputs) - 1 or any(constants(item) is None for item in others):
                return chain, behind
            chain.append(node)
        ref = TensorRef(node.name)
