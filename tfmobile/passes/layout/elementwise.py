"""Turns of ops that treat every value alike: their inputs and outputs have the same order of axes."""

from __future__ import annotations

import numpy as np

from tfmobile.graph.model import Array, Node
from tfmobile.passes.layout.permutations import Perm
from tfmobile.passes.layout.turns import Facts, Turn

UNARY = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "CheckNumericsV2", "Snapshot", "Cast"}
    | {"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Erf", "Erfc"}
    | {"Exp", "Expm1", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Reciprocal", "Inv", "Abs", "Neg", "Sign"}
    | {"Floor", "Ceil", "Round", "Rint", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh"}
    | {"Acosh", "Atanh", "IsNan", "IsInf", "IsFinite", "LogicalNot", "ZerosLike", "OnesLike"}
    | {"FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "ClipByValue"}
)
"""Further inputs are single numbers, such as the ends of a range."""

BROADCASTING = frozenset(
    {"Add", "AddV2", "Sub", "Mul", "MulNoNan", "Div", "RealDiv", "DivNoNan", "FloorDiv", "TruncateDiv", "Mod"}
    | {"FloorMod", "TruncateMod", "Maximum", "Minimum", "Pow", "SquaredDifference", "Atan2", "Xdivy", "Xlogy"}
    | {"Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual", "ApproximateEqual"}
    | {"LogicalAnd", "LogicalOr", "SelectV2"}
)
"""Inputs of fewer axes are spread over the others, as in numpy."""

MATCHING = frozenset({"AddN", "Select"})
"""All inputs have the shape of the output."""


def broadcasting(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """Inputs of all axes are turned with the output; constants of fewer axes get those they lack."""
    rank = len(perm)
    if not node.inputs or any(facts.rank(ref) is None for ref in node.inputs) or _rank_out(facts, node) != rank:
        return None
    inputs: dict[int, Perm] = {}
    constants: dict[int, Array] = {}
    for position, ref in enumerate(node.inputs):
        own = facts.rank(ref)
        if own == rank:
            inputs[position] = perm
        elif own:
            value = facts.value(ref)
            if value is None:
                return None
            full = value.reshape((1,) * (rank - value.ndim) + value.shape)
            constants[position] = np.ascontiguousarray(full.transpose(perm))
    return Turn(inputs, {0: perm}, constants)


def matching(facts: Facts, node: Node, perm: Perm) -> Turn | None:
    """All inputs are turned with the output; a single number is none of them."""
    ranks = [facts.rank(ref) for ref in node.inputs]
    if any(rank not in (0, len(perm)) for rank in ranks):
        return None
    return Turn({position: perm for position, rank in enumerate(ranks) if rank}, {0: perm})


def _rank_out(facts: Facts, node: Node) -> int:
    return max(facts.rank(ref) or 0 for ref in node.inputs)
