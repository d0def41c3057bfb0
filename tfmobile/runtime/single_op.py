"""Single operators cut out of a .tflite, each a model of its own: to time them, or to try them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfmobile.errors import UnsupportedError
from tfmobile.runtime import flatbuffer

RESTORERS = ("DEQUANTIZE",)
WITH_SUBGRAPHS = ("WHILE", "IF", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE", "STABLEHLO_REDUCE")
HANDLES = ("resource", "variant")


def cut(model: Any, position: int) -> bytes:
    """A .tflite of the operator at ``position`` in the main subgraph of ``model`` (a ``ModelT``) alone.

    Its constants, options and quantization are the same; what other operators computed for it is an input. Constants
    that a DEQUANTIZE restores come with it, as the runtime restores them once. Shapes are those of the file, so that a
    dimension that may change is what the file says for now (usually 1). Raises UnsupportedError for an operator that
    does not work alone: a loop or branch, one that needs a resource, one without inputs.
    """
    main = model.subgraphs[0]
    operator = main.operators[position]
    name, output = flatbuffer.op_name(model, operator), _name(main, operator)
    restorers = [one for one in main.operators[:position] if set(_used(one.outputs)) & set(_used(operator.inputs))]
    restorers = [one for one in restorers if restores(model, one)]
    made = {index for one in restorers for index in _used(one.outputs)}
    inputs = [i for i in dict.fromkeys(_used(operator.inputs)) if i not in made and not _held(model, main, i)]
    handles = [i for i in _used(operator.inputs) if flatbuffer.dtype_name(main.tensors[i].type) in HANDLES]
    for wrong, why in (
        (name in WITH_SUBGRAPHS, "It runs other parts of the file."),
        (bool(handles), "It reads a resource that another operator makes."),
        (not inputs, "All it reads is constant."),
        (not _used(operator.outputs), "It makes nothing."),
    ):
        if wrong:
            raise UnsupportedError(
                f"The operator {name} '{output}' does not run alone.",
                why=why,
                fixes=["Time the model as a whole: tfmobile benchmark MODEL"],
            )
    return _alone(model, [*restorers, operator], inputs, _used(operator.outputs))


def restores(model: Any, operator: Any) -> bool:
    """Whether an operator only restores a constant, which the runtime does once."""
    main = model.subgraphs[0]
    return flatbuffer.op_name(model, operator) in RESTORERS and all(
        flatbuffer.tensor_bytes(model, main.tensors[index]) for index in _used(operator.inputs)
    )


def border(model: Any, tensor: int, kind: str) -> bytes:
    """A .tflite that takes the integer tensor of that index to float (``DEQUANTIZE``) or from it (``QUANTIZE``)."""
    module = flatbuffer.schema()
    integer = copy.copy(model.subgraphs[0].tensors[tensor])
    integer.buffer, integer.shapeSignature = 0, None
    real = copy.copy(integer)
    real.name, real.type, real.quantization = "real", module.TensorType.FLOAT32, None
    code = module.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(module.BuiltinOperator, kind)
    code.version = 2 if kind == "DEQUANTIZE" else 1
    operator = module.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    ends = [integer, real] if kind == "DEQUANTIZE" else [real, integer]
    return _write([code], ends, [module.BufferT()], [operator], [0], [1])


def idle() -> bytes:
    """A .tflite that does next to nothing (RELU of one number): its time is that of calling the runtime."""
    module = flatbuffer.schema()
    code = module.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = module.BuiltinOperator.RELU
    code.version = 1
    operator = module.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    tensors = []
    for name in ("x", "y"):
        tensors.append(module.TensorT())
        tensors[-1].name, tensors[-1].shape = name, np.array([1], np.int32)
        tensors[-1].type, tensors[-1].buffer = module.TensorType.FLOAT32, 0
    return _write([code], tensors, [module.BufferT()], [operator], [0], [1])


def _alone(model: Any, operators: Sequence[Any], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    main = model.subgraphs[0]
    used = sorted({
        index for one in operators for side in (one.inputs, one.outputs, one.intermediates) for index in _used(side)
    })  # fmt: skip
    place = {old: new for new, old in enumerate(used)}
    tensors, buffers = [], [flatbuffer.schema().BufferT()]
    for index in used:
        tensor = copy.copy(main.tensors[index])
        data = model.buffers[tensor.buffer].data
        tensor.buffer, tensor.shapeSignature = 0, None
        if data is not None and len(data):
            tensor.buffer = len(buffers)
            buffers.append(flatbuffer.schema().BufferT())
            buffers[-1].data = data
        tensors.append(tensor)
    codes = sorted({int(one.opcodeIndex) for one in operators})
    moved = [_moved(one, place, codes.index(int(one.opcodeIndex))) for one in operators]
    kept = [model.operatorCodes[index] for index in codes]
    return _write(kept, tensors, buffers, moved, [place[i] for i in inputs], [place[i] for i in outputs])


def _moved(operator: Any, place: Mapping[int, int], code: int) -> Any:
    made = copy.copy(operator)
    made.opcodeIndex = code
    for side in ("inputs", "outputs", "intermediates"):
        values = getattr(operator, side)
        if values is not None:
            setattr(made, side, np.array([place.get(int(index), -1) for index in values], np.int32))
    return made


def _write(
    codes: Sequence[Any],
    tensors: Sequence[Any],
    buffers: Sequence[Any],
    operators: Sequence[Any],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    module = flatbuffer.schema()
    subgraph = module.SubGraphT()
    subgraph.tensors, subgraph.operators = list(tensors), list(operators)
    subgraph.inputs, subgraph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    model = module.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, list(codes), [subgraph], list(buffers)
    return flatbuffer.write(model)


def _held(model: Any, main: Any, index: int) -> bool:
    """Whether the operator has a tensor's value by itself: a constant, or its own state."""
    tensor = main.tensors[index]
    return bool(tensor.isVariable) or flatbuffer.tensor_bytes(model, tensor) > 0


def _used(indices: Any) -> list[int]:
    return [int(index) for index in flatbuffer.sequence(indices) if index >= 0]


def _name(main: Any, operator: Any) -> str:
    return next((flatbuffer.text(main.tensors[index].name) for index in _used(operator.outputs)), "")
