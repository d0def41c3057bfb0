"""How much memory activations need at least: the most bytes that are alive at once while the operators run in order.

The runtime's arena is this or more, by what packing and temporary tensors of kernels cost.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfmobile.runtime import flatbuffer

_NARROW_BITS = {"int4": 4, "uint4": 4, "int2": 2}


def arena_bytes(model: Any) -> int:
    """Of the main subgraph. A dimension that may change counts as it is stored, usually 1."""
    main = model.subgraphs[0]
    operators = flatbuffer.sequence(main.operators)
    born: dict[int, int] = dict.fromkeys(map(int, flatbuffer.sequence(main.inputs)), 0)
    last: dict[int, int] = {}
    for position, operator in enumerate(operators):
        if _restores_weights(model, main, operator):
            continue
        for index in map(int, flatbuffer.sequence(operator.outputs)):
            born.setdefault(index, position)
        for index in map(int, [*flatbuffer.sequence(operator.inputs), *flatbuffer.sequence(operator.outputs)]):
            last[index] = position
    for index in map(int, flatbuffer.sequence(main.outputs)):
        last[index] = len(operators)
    change = np.zeros(len(operators) + 2, np.int64)
    for index, start in born.items():
        if flatbuffer.tensor_bytes(model, main.tensors[index]):
            continue
        size = _bytes(main.tensors[index])
        change[start] += size
        change[last.get(index, start) + 1] -= size
    return int(change.cumsum().max(initial=0))


def _restores_weights(model: Any, main: Any, operator: Any) -> bool:
    """A DEQUANTIZE of stored weights: what it makes is no activation, and most kernels never store it."""
    sources = [main.tensors[index] for index in flatbuffer.sequence(operator.inputs) if index >= 0]
    stored = all(flatbuffer.tensor_bytes(model, tensor) for tensor in sources)
    return stored and flatbuffer.op_name(model, operator) == "DEQUANTIZE"


def _bytes(tensor: Any) -> int:
    kind = flatbuffer.dtype_name(tensor.type)
    count = math.prod(int(size) for size in flatbuffer.sequence(tensor.shape))
    if kind in _NARROW_BITS:
        return math.ceil(count * _NARROW_BITS[kind] / 8)
    try:
        return max(count, 0) * np.dtype(kind).itemsize
    except TypeError:
        return 0
