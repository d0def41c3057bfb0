"""What TFLite's int8 scheme does with each TensorFlow op: https://ai.google.dev/edge/litert/models/quantization_spec

The tables hold the ops that the converter of TensorFlow 2.21 turns into int8 kernels when the ranges of their inputs
and outputs are known; each entry was tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tfmobile.graph.match import PASS_THROUGH

Range: TypeAlias = tuple[float, float]
"""The smallest and the largest value."""


@dataclass(frozen=True)
class Layer:
    """Where a layer with weights has its data and its weights, among its inputs.

    ``per_channel``: each output channel can have a range of its own. In TFLite a dense layer has, too, but the
    converter refuses FakeQuant with such ranges there, because it has to transpose the weights behind it.
    """

    data: int = 0
    weights: int = 1
    per_channel: bool = False


LAYERS: Mapping[str, Layer] = {
    "Conv2D": Layer(per_channel=True),
    "DepthwiseConv2dNative": Layer(per_channel=True),
    "MatMul": Layer(),
    "BatchMatMul": Layer(),
    "BatchMatMulV2": Layer(),
    "Conv2DBackpropInput": Layer(data=2),
}
"""Their bias becomes int32, with a scale that follows from those of data and weights: it needs no range."""

SUMS = frozenset({"Add", "AddV2"})
COMPUTES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys((*SUMS, "Sub", "Mul", "SquaredDifference"), (0, 1)),
    **dict.fromkeys(("BiasAdd", "RealDiv", "Mean", "Sum", "Abs", "Exp", "Log", "Sqrt", "Rsqrt"), (0,)),
    **dict.fromkeys(("Relu", "Relu6", "LeakyRelu"), (0,)),
}
"""Ops whose output has a range of its own, and which inputs are data."""

FIXED: Mapping[str, Range] = {
    "Softmax": (0.0, 255 / 256),
    "Sigmoid": (0.0, 255 / 256),
    "Tanh": (-1.0, 127 / 128),
    "LogSoftmax": (-255 / 16, 0.0),
    "L2Normalization": (-1.0, 127 / 128),
}
"""Ops whose output has the range that their kernels are made for. One input; the last one is a composite."""

KEEPS: Mapping[str, int] = {
    **dict.fromkeys(PASS_THROUGH, 0),
    **dict.fromkeys(
        ("Reshape", "Squeeze", "ExpandDims", "Transpose", "Slice", "StridedSlice", "Gather", "GatherV2"), 0
    ),
    **dict.fromkeys(("GatherNd", "SplitV", "ReverseV2", "Tile", "BroadcastTo", "Pad", "MirrorPad", "Max", "Min"), 0),
    **dict.fromkeys(("MaxPool", "AvgPool", "TopKV2", "ResizeBilinear", "ResizeNearestNeighbor"), 0),
    **dict.fromkeys(("SpaceToDepth", "DepthToSpace", "SpaceToBatchND", "BatchToSpaceND"), 0),
    "Split": 1,
}
"""Ops whose outputs have scale and zero point of the one input that is data, and which input that is."""

CLIPS = frozenset({"Maximum", "Minimum"})
JOINS = frozenset({"Concat", "ConcatV2", "Pack", "PadV2", "Select", "SelectV2", *CLIPS})
"""Ops whose inputs and output must all have the same scale and zero point."""

READS = frozenset(
    {"Shape", "Size", "Rank", "ArgMax", "ArgMin", "Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"}
)
"""Ops that take 8 bits, or only the shape, and give something else."""

FUSED = frozenset({"Relu", "Relu6"})
"""Activations that become part of the layer or the arithmetic before them."""
FUSING = frozenset({*LAYERS, *SUMS, "Sub", "Mul"})

WITHIN = frozenset({"Mean", "Relu", "Relu6", "LeakyRelu", "HardSwish", "Gelu"})
"""Ops that give nothing outside the range of what they read (with 0 in it)."""

BOUNDS: Mapping[str, Range] = {
    "Relu": (0.0, math.inf),
    "Relu6": (0.0, 6.0),
    "Abs": (0.0, math.inf),
    "Exp": (0.0, math.inf),
    "Sqrt": (0.0, math.inf),
    "Rsqrt": (0.0, math.inf),
    "SquaredDifference": (0.0, math.inf),
    "HardSwish": (-0.375, math.inf),
    "Gelu": (-0.17, math.inf),
}
"""Outside of it lies nothing these ops give."""

FAKE_QUANT = "FakeQuantWithMinMaxVars"
PER_CHANNEL = "FakeQuantWithMinMaxVarsPerChannel"
FAKE_QUANTS = frozenset({FAKE_QUANT, PER_CHANNEL, "FakeQuantWithMinMaxArgs"})


def data_inputs(op: str, count: int) -> tuple[int, ...]:
    """Which of an op's ``count`` inputs are data, for the ops of LAYERS, COMPUTES, FIXED, KEEPS and JOINS."""
    if op in LAYERS:
        return tuple(sorted({LAYERS[op].data, LAYERS[op].weights}))
    if op in COMPUTES:
        return COMPUTES[op]
    if op in KEEPS:
        return (KEEPS[op],)
    first = 1 if op in ("Concat", "Select", "SelectV2") else 0
    last = count - 1 if op == "ConcatV2" else count
    return (0, 2) if op == "PadV2" else tuple(range(first, last)) if op in JOINS else (0,)
