"""Multiply-accumulates (MACs) of a layer from its shapes, for TensorFlow's ops and for those of a .tflite.

One MAC is one multiplication and one addition. Biases, activations and normalizations are not counted, as is usual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfmobile.graph.model import Shape

Known = tuple[int, ...]
Shapes = Sequence[Known]
Counter = Callable[[Shapes, Known, Mapping[str, Any]], "int | None"]


def count(table: Mapping[str, Counter], op: str, inputs: Sequence[Shape], output: Shape, attrs: Any) -> int | None:
    """MACs of one node: 0 for an op that does not multiply, None when a shape it takes is not known."""
    counter = table.get(op)
    if counter is None:
        return 0
    known = [_known(shape) for shape in inputs]
    made = _known(output)
    try:
        return None if made is None else counter([() if one is None else one for one in known], made, attrs)
    except (IndexError, KeyError):
        return None


def _known(shape: Shape) -> Known | None:
    if shape is None or any(size is None for size in shape):
        return None
    return tuple(int(size) for size in shape if size is not None)


def _window(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Filter [k…, in, out]: every output value takes k… · in."""
    taps = inputs[1]
    if len(taps) < 3:
        raise IndexError
    return math.prod(output) * math.prod(taps[:-1])


def _window_depthwise(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Filter [height, width, in, multiplier]: every output value takes height · width."""
    return math.prod(output) * inputs[1][0] * inputs[1][1]


def _window_transposed(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Filter [k…, out, in], third input the data: every input value is spread over k… · out."""
    return math.prod(inputs[2]) * math.prod(inputs[1][:-1])


def _product(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """A · B: every output value takes as many as A has columns."""
    columns = inputs[0][-2] if attrs.get("transpose_a") or attrs.get("adj_x") else inputs[0][-1]
    return math.prod(output) * columns


def _einsum(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int | None:
    """Every combination of all letters of the equation is one product."""
    equation = attrs["equation"]
    text = equation.decode() if isinstance(equation, bytes) else str(equation)
    terms = text.replace(" ", "").partition("->")[0].split(",")
    if "." in text or len(terms) != 2:
        return None
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, inputs, strict=False):
        if len(term) != len(shape):
            return None
        sizes.update(zip(term, shape, strict=True))
    return math.prod(sizes.values())


TENSORFLOW: Mapping[str, Counter] = {
    "Conv2D": _window,
    "_FusedConv2D": _window,
    "Conv3D": _window,
    "DepthwiseConv2dNative": _window_depthwise,
    "Conv2DBackpropInput": _window_transposed,
    "Conv3DBackpropInputV2": _window_transposed,
    "MatMul": _product,
    "_FusedMatMul": _product,
    "BatchMatMul": _product,
    "BatchMatMulV2": _product,
    "BatchMatMulV3": _product,
    "Einsum": _einsum,
}


def _first_out(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Weights [out, k…, in]: every output value takes k… · in."""
    return math.prod(output) * math.prod(inputs[1][1:])


def _first_one(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Weights [1, height, width, out]: every output value takes height · width."""
    return math.prod(output) * inputs[1][1] * inputs[1][2]


def _spread(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Output shape, weights [out, height, width, in], data: every input value is spread over height · width · out."""
    return math.prod(inputs[2]) * math.prod(inputs[1][:-1])


def _recurrent(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """Data [batch, time, in] (or time first) and matrices: each matrix is multiplied in every step."""
    if len(inputs[0]) < 3:
        raise IndexError
    steps = math.prod(inputs[0][:-1])
    return steps * sum(math.prod(shape) for shape in inputs[1:] if len(shape) == 2 and shape[0] > 1)


def _batched(inputs: Shapes, output: Known, attrs: Mapping[str, Any]) -> int:
    """A · B, where a flag that is not read here may transpose A: the size that the output does not have."""
    left, right = inputs[0], inputs[1]
    shared = {left[-1], left[-2]} & {right[-1], right[-2]}
    rows, columns = output[-2], output[-1]
    total = math.isqrt(left[-1] * left[-2] * right[-1] * right[-2] // (rows * columns))
    return math.prod(output) * (total if total in shared else left[-1])


TFLITE: Mapping[str, Counter] = {
    "CONV_2D": _first_out,
    "DEPTHWISE_CONV_2D": _first_one,
    "FULLY_CONNECTED": _first_out,
    "TRANSPOSE_CONV": _spread,
    "CONV_3D": _window,
    "BATCH_MATMUL": _batched,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
}
