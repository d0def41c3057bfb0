"""A float16 .tflite back to float32, so that it can be calibrated and quantized like a fresh one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfmobile.artifacts import OpFact
from tfmobile.errors import UnsupportedError
from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.arithmetic import classify

_FROM_SOURCE = "Start from the TensorFlow model this file was made from: tfmobile optimize MODEL"


def restore_float(content: bytes) -> bytes:
    """The model with float32 constants where float16 ones were restored by DEQUANTIZE operators, which go.

    Its answers stay the same. A float32 model comes back with the same operators and constants. A model without a
    signature gets one, keyed by its tensor names. Raises ModelError for a damaged file and UnsupportedError for a
    quantized one: what rounding to integers took cannot be restored.
    """
    model = flatbuffer.read(content)
    with flatbuffer.sound():
        _refuse_quantized(model, classify(model))
        for subgraph in model.subgraphs:
            _fold(model, subgraph)
            _drop_unused(model, subgraph)
        _drop_buffers(model)
        _ensure_signature(model)
        return flatbuffer.write(model)


def _refuse_quantized(model: Any, ops: Iterable[OpFact]) -> None:
    integer = [op for op in ops if op.kind == "integer"]
    if integer:
        raise UnsupportedError(
            "This .tflite is quantized to integers already; it cannot be quantized again.",
            why=f"{len(integer)} operators compute in integers, the first is {integer[0].op} '{integer[0].output}'. "
            "The float weights are gone, and quantizing rounded values once more only adds error.",
            fixes=[_FROM_SOURCE, "To measure it as it is: tfmobile benchmark MODEL, tfmobile evaluate MODEL"],
        )
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors or ():
            stored = flatbuffer.dtype_name(tensor.type)
            if flatbuffer.sequence(getattr(tensor.quantization, "scale", None)) and stored.startswith(("int", "uint")):
                raise UnsupportedError(
                    "The weights of this .tflite are quantized already; it cannot be quantized again.",
                    why=f"'{flatbuffer.text(tensor.name)}' is stored as {stored} (dynamic-range or weight-only).",
                    fixes=[_FROM_SOURCE, "To measure it as it is: tfmobile benchmark MODEL"],
                )


def _fold(model: Any, subgraph: Any) -> None:
    """Make the constants behind DEQUANTIZE float32 and let the readers of its output read them."""
    made: dict[int, int] = {}
    kept = []
    for operator in flatbuffer.sequence(subgraph.operators):
        source = int(operator.inputs[0]) if flatbuffer.op_name(model, operator) == "DEQUANTIZE" else -1
        value = _half(model, subgraph.tensors[source]) if source >= 0 else None
        if value is None:
            kept.append(operator)
            continue
        made[int(operator.outputs[0])] = source
    subgraph.operators = kept
    for source in sorted(set(made.values())):
        _store(model, subgraph.tensors[source])
    _renumber(subgraph, model, lambda index: made.get(index, index))


def _half(model: Any, tensor: Any) -> Array | None:
    return flatbuffer.tensor_data(model, tensor) if flatbuffer.dtype_name(tensor.type) == "float16" else None


def _store(model: Any, tensor: Any) -> None:
    value = flatbuffer.tensor_data(model, tensor)
    assert value is not None
    module = flatbuffer.schema()
    buffer = module.BufferT()
    buffer.data = np.frombuffer(value.astype("<f4").tobytes(), np.uint8)
    tensor.type, tensor.buffer = module.TensorType.FLOAT32, len(model.buffers)
    model.buffers.append(buffer)


def _renumber(subgraph: Any, model: Any, new: Any) -> None:
    """Replace every tensor index in the subgraph and its signatures; −1, an input that is not given, stays."""

    def replaced(indices: Any) -> Any:
        if indices is None:
            return None
        return np.array([new(int(index)) if index >= 0 else -1 for index in indices], np.int32)

    for operator in subgraph.operators:
        operator.inputs, operator.outputs = replaced(operator.inputs), replaced(operator.outputs)
        operator.intermediates = replaced(operator.intermediates)
    subgraph.inputs, subgraph.outputs = replaced(subgraph.inputs), replaced(subgraph.outputs)
    position = next(index for index, one in enumerate(model.subgraphs) if one is subgraph)
    for signature in model.signatureDefs or ():
        if signature.subgraphIndex == position:
            for entry in [*(signature.inputs or ()), *(signature.outputs or ())]:
                entry.tensorIndex = new(int(entry.tensorIndex))


def _drop_unused(model: Any, subgraph: Any) -> None:
    used = {int(index) for side in (subgraph.inputs, subgraph.outputs) for index in flatbuffer.sequence(side)}
    for operator in subgraph.operators:
        for indices in (operator.inputs, operator.outputs, operator.intermediates):
            used.update(int(index) for index in flatbuffer.sequence(indices) if index >= 0)
    order = sorted(used)
    position = {old: new for new, old in enumerate(order)}
    subgraph.tensors = [subgraph.tensors[index] for index in order]
    _renumber(subgraph, model, position.__getitem__)


def _drop_buffers(model: Any) -> None:
    """Keep buffer 0, which the format reserves as the empty one, and those still in use."""
    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    holders = [*tensors, *(model.metadata or ())]
    order = sorted({0, *(int(holder.buffer) for holder in holders)})
    position = {old: new for new, old in enumerate(order)}
    model.buffers = [model.buffers[index] for index in order]
    for holder in holders:
        holder.buffer = position[int(holder.buffer)]
    model.metadataBuffer = None


def _ensure_signature(model: Any) -> None:
    if model.signatureDefs:
        return
    main = model.subgraphs[0]
    inputs, outputs = (
        {flatbuffer.text(main.tensors[int(index)].name): int(index) for index in flatbuffer.sequence(side)}
        for side in (main.inputs, main.outputs)
    )
    if len(inputs) == len(main.inputs) and len(outputs) == len(main.outputs):
        flatbuffer.set_signature(model, inputs, outputs)
