"""The tensors, buffers, subgraphs and signatures of a .tflite."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tfmobile.inspection.facts import (
    BufferFact,
    OpCount,
    QuantizationFact,
    SignatureFact,
    StoredTensor,
    SubgraphFact,
)
from tfmobile.inspection.scheme import constant_tensors
from tfmobile.runtime import flatbuffer


def tensors(model: Any) -> tuple[StoredTensor, ...]:
    """All of all subgraphs, in the order of the file."""
    return tuple(
        _tensor(model, number, index, tensor, roles)
        for number, subgraph in enumerate(model.subgraphs)
        for roles in [_ends(subgraph)]
        for index, tensor in enumerate(flatbuffer.sequence(subgraph.tensors))
    )


def _ends(subgraph: Any) -> dict[int, str]:
    found = {int(index): "output" for index in flatbuffer.sequence(subgraph.outputs)}
    return {**found, **{int(index): "input" for index in flatbuffer.sequence(subgraph.inputs)}}


def _tensor(model: Any, subgraph: int, index: int, tensor: Any, ends: dict[int, str]) -> StoredTensor:
    stored = flatbuffer.tensor_bytes(model, tensor)
    role = "constant" if stored else "variable" if tensor.isVariable else "activation"
    shape = flatbuffer.sequence(tensor.shapeSignature) or flatbuffer.sequence(tensor.shape)
    return StoredTensor(
        subgraph=subgraph,
        index=index,
        name=flatbuffer.text(tensor.name),
        dtype=flatbuffer.dtype_name(tensor.type),
        shape=tuple(map(int, shape)),
        role=ends.get(index, role),
        constant_bytes=stored,
        buffer=int(tensor.buffer),
        quantization=quantization(tensor),
    )


def quantization(tensor: Any) -> QuantizationFact | None:
    """None for a tensor without a scale."""
    scales = [float(one) for one in flatbuffer.sequence(getattr(tensor.quantization, "scale", None))]
    if not scales:
        return None
    zero_points = flatbuffer.sequence(tensor.quantization.zeroPoint)
    return QuantizationFact(
        scales=len(scales),
        smallest_scale=min(scales),
        largest_scale=max(scales),
        zero_point=int(zero_points[0]) if zero_points else 0,
        axis=int(tensor.quantization.quantizedDimension) if len(scales) > 1 else None,
    )


def buffers(model: Any) -> tuple[BufferFact, ...]:
    """The constants, the largest first; a buffer that several tensors share once."""
    shared = Counter(int(tensor.buffer) for tensor in constant_tensors(model))
    found: dict[int, BufferFact] = {}
    for tensor in constant_tensors(model):
        number = int(tensor.buffer)
        if number not in found:
            found[number] = BufferFact(
                name=flatbuffer.text(tensor.name),
                dtype=flatbuffer.dtype_name(tensor.type),
                shape=tuple(map(int, flatbuffer.sequence(tensor.shape))),
                size_bytes=flatbuffer.tensor_bytes(model, tensor),
                tensors=shared[number],
            )
    return tuple(sorted(found.values(), key=lambda fact: -fact.size_bytes))


def subgraphs(model: Any) -> tuple[SubgraphFact, ...]:
    """The main one first."""
    return tuple(
        SubgraphFact(
            name=flatbuffer.text(subgraph.name),
            inputs=_names(subgraph, subgraph.inputs),
            outputs=_names(subgraph, subgraph.outputs),
            tensors=len(flatbuffer.sequence(subgraph.tensors)),
            operators=len(flatbuffer.sequence(subgraph.operators)),
            ops=histogram(model, flatbuffer.sequence(subgraph.operators)),
        )
        for subgraph in model.subgraphs
    )


def _names(subgraph: Any, indices: Any) -> tuple[str, ...]:
    return tuple(flatbuffer.text(subgraph.tensors[index].name) for index in flatbuffer.sequence(indices))


def histogram(model: Any, operators: list[Any]) -> tuple[OpCount, ...]:
    """Operators by name and version, the most frequent first."""
    counts = Counter(
        (flatbuffer.op_name(model, operator), max(int(model.operatorCodes[operator.opcodeIndex].version), 1))
        for operator in operators
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(OpCount(op, count, version) for (op, version), count in ordered)


def signatures(model: Any) -> tuple[SignatureFact, ...]:
    """Of all subgraphs, in the order of the file."""
    return tuple(
        SignatureFact(
            key=flatbuffer.text(signature.signatureKey),
            subgraph=int(signature.subgraphIndex),
            inputs=_map(model, signature, signature.inputs),
            outputs=_map(model, signature, signature.outputs),
        )
        for signature in model.signatureDefs or ()
    )


def _map(model: Any, signature: Any, entries: Any) -> dict[str, str]:
    subgraph = model.subgraphs[signature.subgraphIndex]
    return {
        flatbuffer.text(entry.name): flatbuffer.text(subgraph.tensors[entry.tensorIndex].name)
        for entry in entries or ()
    }
