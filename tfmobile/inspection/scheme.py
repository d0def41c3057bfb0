"""The quantization scheme of a .tflite in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfmobile.artifacts import OpFact
from tfmobile.runtime import flatbuffer

_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D"})
_WIDTH = {"int4": "int4", "int8": "int8", "uint8": "uint8", "int16": "int16", "float16": "float16", "int2": "int2"}


def scheme(model: Any, ops: Sequence[OpFact]) -> str:
    """Such as ``float32``, ``dynamic int8 (weights only, per channel)``, ``full int8, per channel``."""
    weights = Counter(flatbuffer.dtype_name(tensor.type) for tensor in _weights(model))
    kinds = Counter(op.kind for op in ops)
    if kinds["integer"]:
        return _integer(model, kinds)
    narrow = [kind for kind, _ in weights.most_common() if kind in _WIDTH]
    if not narrow:
        return "float32"
    if narrow[0] == "float16":
        return "float16 weights, float32 arithmetic"
    hybrid = kinds["weight-only"] > 0
    granularity = _granularity(model) or "per tensor"
    return f"dynamic {narrow[0]} (weights only, {granularity})" if hybrid else f"{narrow[0]} weights, {granularity}"


def _integer(model: Any, kinds: Counter[str]) -> str:
    activations = Counter(_activations(model))
    kind = activations.most_common(1)[0][0] if activations else "int8"
    words = "int16 activations, int8 weights" if kind == "int16" else kind
    whole = not kinds["float"] and not kinds["weight-only"]
    text = ", ".join(filter(None, [f"{'full' if whole else 'partly'} {words}", _granularity(model)]))
    main = model.subgraphs[0]
    ends = [*flatbuffer.sequence(main.inputs), *flatbuffer.sequence(main.outputs)]
    if any(flatbuffer.dtype_name(main.tensors[index].type) == "float32" for index in ends):
        text += ", float input or output"
    left = kinds["float"] + kinds["weight-only"]
    return text + (f"; {left} of {sum(kinds.values())} operators in float" if left else "")


def _granularity(model: Any) -> str:
    counts = [len(flatbuffer.sequence(getattr(tensor.quantization, "scale", None))) for tensor in _weights(model)]
    if not any(counts):
        return ""  # hidden inside a compiled operator
    return "per channel" if max(counts) > 1 else "per tensor"


def _activations(model: Any) -> Iterator[str]:
    for subgraph in model.subgraphs:
        for operator in flatbuffer.sequence(subgraph.operators):
            for index in flatbuffer.sequence(operator.outputs):
                tensor = subgraph.tensors[index]
                if flatbuffer.sequence(getattr(tensor.quantization, "scale", None)):
                    yield flatbuffer.dtype_name(tensor.type)


def _weights(model: Any) -> Iterator[Any]:
    """The kernels; where no layer has any, every constant of more than one value."""
    found = [
        tensor
        for subgraph in model.subgraphs
        for stored in [stored_weights(model, subgraph)]
        for operator in flatbuffer.sequence(subgraph.operators)
        if flatbuffer.op_name(model, operator) in _WEIGHTED
        for tensor in _kernel(model, subgraph, operator, stored)
    ]
    yield from found or (one for one in constant_tensors(model) if flatbuffer.tensor_bytes(model, one) > 64)


def _kernel(model: Any, subgraph: Any, operator: Any, stored: Mapping[int, int]) -> Iterator[Any]:
    index = flatbuffer.sequence(operator.inputs)[1]
    tensor = subgraph.tensors[stored.get(index, index)]
    if flatbuffer.tensor_bytes(model, tensor):
        yield tensor


def stored_weights(model: Any, subgraph: Any) -> dict[int, int]:
    """Tensor made by a DEQUANTIZE from a constant → that constant: how float16 and int4 weights are kept."""
    found = {}
    for operator in flatbuffer.sequence(subgraph.operators):
        if flatbuffer.op_name(model, operator) != "DEQUANTIZE":
            continue
        source, made = flatbuffer.sequence(operator.inputs)[0], flatbuffer.sequence(operator.outputs)[0]
        if flatbuffer.tensor_bytes(model, subgraph.tensors[source]):
            found[int(made)] = int(source)
    return found


def constant_tensors(model: Any) -> Iterator[Any]:
    """Every tensor of every subgraph that has its value in the file."""
    for subgraph in model.subgraphs:
        for tensor in flatbuffer.sequence(subgraph.tensors):
            if flatbuffer.tensor_bytes(model, tensor):
                yield tensor
