"""The ops that can work on tensors with their axes in another order."""

from __future__ import annotations

from collections.abc import Mapping

from tfmobile.graph.model import Node
from tfmobile.passes.layout import axes, elementwise, layers, ranks, reshapes
from tfmobile.passes.layout.permutations import Perm
from tfmobile.passes.layout.turns import Facts, Maker, Rule, Turn


def _both(maker: Maker) -> Rule:
    """The inputs have the order of the output."""
    return Rule(maker, maker)


_REDUCTIONS = ("Mean", "Sum", "Prod", "Max", "Min", "Any", "All", "EuclideanNorm")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys((*elementwise.UNARY, *elementwise.BROADCASTING), _both(elementwise.broadcasting)),
    **dict.fromkeys(elementwise.MATCHING, _both(elementwise.matching)),
    **dict.fromkeys(layers.LAYERS, _both(layers.layer)),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad", "Tile", "Slice"), _both(axes.listed)),
    **dict.fromkeys(("Cumsum", "Cumprod", "ReverseV2"), _both(axes.along)),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _both(axes.softmax)),
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND"), _both(axes.blocks)),
    **dict.fromkeys(_REDUCTIONS, Rule(ranks.reduction, ranks.reduction_kept)),
    **dict.fromkeys(("ArgMax", "ArgMin"), Rule(ranks.best_index, None)),
    "BiasAdd": _both(layers.bias_add),
    "Concat": _both(axes.concat),
    "ConcatV2": _both(axes.concat_v2),
    "Split": _both(axes.split),
    "SplitV": _both(axes.split_v),
    "GatherV2": _both(axes.gather),
    "StridedSlice": Rule(ranks.strided_slice, ranks.strided_slice_kept),
    "Squeeze": Rule(ranks.squeeze, None),
    "ExpandDims": Rule(None, ranks.expand_dims),
    "Reshape": Rule(reshapes.reshape, reshapes.reshape_back),
}


def forward(facts: Facts, node: Node, position: int, perm: Perm) -> Turn | None:
    """The turn of ``node`` that takes its input ``position`` in the order ``perm``."""
    rule = RULES.get(node.op)
    turn = rule.forward(facts, node, perm) if rule is not None and rule.forward is not None else None
    return turn if turn is not None and turn.inputs.get(position) == perm else None


def backward(facts: Facts, node: Node, index: int, perm: Perm) -> Turn | None:
    """The turn of ``node`` that gives its output ``index`` in the order ``perm``."""
    rule = RULES.get(node.op)
    turn = rule.backward(facts, node, perm) if rule is not None and rule.backward is not None else None
    return turn if turn is not None and turn.outputs.get(index) == perm else None
