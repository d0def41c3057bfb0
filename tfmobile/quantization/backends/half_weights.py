"""Weights of single operators stored as float16, restored by a DEQUANTIZE: as TFLite's float16 models do it.

XNNPACK unpacks such constants once, when the model is loaded.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from tfmobile.errors import VerificationError
from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer

DEQUANTIZE_OF_HALVES = 3
"""The version of the operator that takes float16."""


def store_half(model: Any, positions: Collection[int]) -> bool:
    """Store the float32 weights of these operators of the main subgraph as float16, in place.

    Weights are constants of at least two dimensions (biases stay). Those that another operator reads too stay as they
    are, since they must be stored anyway. True when any was stored anew. Raises VerificationError for weights that
    float16 cannot hold.
    """
    main = model.subgraphs[0]
    readers = _readers(main)
    inserted = []
    for position in sorted(positions):
        for place in [int(index) for index in main.operators[position].inputs if index >= 0]:
            value = _weights(model, main.tensors[place])
            if value is None or not readers[place] <= set(positions) or min(readers[place]) != position:
                continue
            inserted.append((position, _restored(model, main, place, value)))
    for position, operator in reversed(inserted):
        main.operators.insert(position, operator)
    return bool(inserted)


def _readers(main: Any) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for position, operator in enumerate(main.operators):
        for index in operator.inputs:
            found.setdefault(int(index), set()).add(position)
    for index in main.outputs:
        found.setdefault(int(index), set()).add(-1)
    return found


def _weights(model: Any, tensor: Any) -> Array | None:
    if flatbuffer.dtype_name(tensor.type) != "float32" or len(flatbuffer.sequence(tensor.shape)) < 2:
        return None
    return flatbuffer.tensor_data(model, tensor)


def _restored(model: Any, main: Any, place: int, value: Array) -> Any:
    """The DEQUANTIZE that makes tensor ``place``, which was a constant, from halves."""
    module = flatbuffer.schema()
    tensor = main.tensors[place]
    name = flatbuffer.text(tensor.name)
    stored = module.TensorT()
    stored.name, stored.shape, stored.shapeSignature = f"{name}/float16", tensor.shape, tensor.shapeSignature
    stored.type, stored.buffer = module.TensorType.FLOAT16, len(model.buffers)
    stored.quantization = module.QuantizationParametersT()
    buffer = module.BufferT()
    buffer.data = np.frombuffer(_halves(value, name).tobytes(), np.uint8)
    old = int(tensor.buffer)
    model.buffers.append(buffer)
    tensor.buffer = 0
    main.tensors.append(stored)
    if not any(int(one.buffer) == old for subgraph in model.subgraphs for one in subgraph.tensors):
        model.buffers[old].data = None
    operator = module.OperatorT()
    operator.opcodeIndex = _code(model)
    operator.inputs, operator.outputs = [len(main.tensors) - 1], [place]
    operator.builtinOptionsType = module.BuiltinOptions.DequantizeOptions
    operator.builtinOptions = module.DequantizeOptionsT()
    return operator


def _halves(value: Array, name: str) -> Array:
    limit = float(np.finfo(np.float16).max)
    largest = float(np.abs(value).max(initial=0.0))
    if largest > limit:
        raise VerificationError(
            f"The weights '{name}' cannot be stored as float16.",
            why=f"The largest is {largest:.4g}, and float16 ends at {limit:.0f}.",
            fixes=["Give this layer the precision float32."],
        )
    return value.astype(np.float16)


def _code(model: Any) -> int:
    """Index of the operator code, added where it is missing."""
    module = flatbuffer.schema()
    number = module.BuiltinOperator.DEQUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == DEQUANTIZE_OF_HALVES:
            return index
    code = module.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = DEQUANTIZE_OF_HALVES
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
