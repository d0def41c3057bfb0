"""``inspect`` of a .tflite: read from its bytes, without TensorFlow and without running it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tfmobile.artifacts import OpFact
from tfmobile.errors import ModelError
from tfmobile.inspection import multiplies, operator_options
from tfmobile.inspection.arena import arena_bytes
from tfmobile.inspection.commands import tflite_command
from tfmobile.inspection.facts import LayerFact, MetadataFact, NodeFact, OpCount, TFLiteInspection
from tfmobile.inspection.scheme import constant_tensors, scheme, stored_weights
from tfmobile.inspection.target_fit import EDGE_TPU_OP, tflite_targets
from tfmobile.inspection.tflite_tensors import buffers, histogram, signatures, subgraphs, tensors
from tfmobile.runtime import associated_files, describe, flatbuffer, read_metadata

_PARAMETER_TYPES = ("float", "bfloat16", "int8", "uint8", "int4", "int2", "uint4", "int16")


def inspect_tflite(content: bytes, name: str, *, structure: bool = False) -> TFLiteInspection:
    """What is in a .tflite; ``name`` is its file name, ``structure`` lists every operator.

    Raises ModelError when it is not a whole one.
    """
    described = describe(content)
    model = flatbuffer.view(content)
    with flatbuffer.sound():
        main = model.subgraphs[0]
        operators = flatbuffer.sequence(main.operators)
        layers = _layers(model, main, operators, described.ops)
        edge_tpu = any(fact.op == EDGE_TPU_OP for fact in described.ops)
        words = scheme(model, described.ops)
        notes = list(described.notes)
        return TFLiteInspection(
            name=name,
            sha256=hashlib.sha256(content).hexdigest(),
            format_version=int(model.version),
            description=flatbuffer.text(model.description),
            signatures=signatures(model),
            inputs=described.inputs,
            outputs=described.outputs,
            subgraphs=subgraphs(model),
            ops=_with_costs(model, operators, layers),
            parameters=_parameters(model),
            macs=sum(layer.macs or 0 for layer in layers),
            layers=layers,
            quantization=words,
            arithmetic=dict(Counter(fact.kind for fact in described.ops)),
            size=described.size,
            tensors=tensors(model),
            buffers=buffers(model),
            arena_bytes=arena_bytes(model),
            edge_tpu=edge_tpu,
            metadata=tuple(MetadataFact(key, len(value)) for key, value in flatbuffer.metadata(model).items()),
            targets=tflite_targets(described, words),
            description_metadata=_metadata(content, notes),
            attached={key: len(value) for key, value in associated_files(content).items()},
            command=tflite_command(name, words, edge_tpu),
            structure=_structure(content, main, operators, described.ops) if structure else (),
            notes=(*notes, *_notes(layers, edge_tpu)),
        )


def _layers(model: Any, main: Any, operators: Sequence[Any], facts: Sequence[OpFact]) -> tuple[LayerFact, ...]:
    stored = stored_weights(model, main)
    return tuple(_layer(model, main, operator, fact, stored) for operator, fact in zip(operators, facts, strict=True))


def _with_costs(model: Any, operators: list[Any], layers: Sequence[LayerFact]) -> tuple[OpCount, ...]:
    """The histogram with what all operators of a kind own; of two versions of one, by version."""
    own: dict[tuple[str, int], list[LayerFact]] = {}
    for operator, layer in zip(operators, layers, strict=True):
        one = histogram(model, [operator])[0]
        own.setdefault((one.op, one.version), []).append(layer)
    return tuple(one.owning(own[one.op, one.version]) for one in histogram(model, operators))


def _structure(content: bytes, main: Any, operators: Sequence[Any], facts: Sequence[OpFact]) -> tuple[NodeFact, ...]:
    options = operator_options.operator_options(content, len(operators))
    return tuple(
        _node_fact(main, operator, fact, operator_options.text(chosen))
        for operator, fact, chosen in zip(operators, facts, options, strict=True)
    )


def _node_fact(main: Any, operator: Any, fact: OpFact, options: str) -> NodeFact:
    read = [main.tensors[index] for index in flatbuffer.sequence(operator.inputs) if index >= 0]
    outputs = flatbuffer.sequence(operator.outputs)
    return NodeFact(
        name=fact.output,
        op=fact.op,
        inputs=tuple(flatbuffer.text(tensor.name) for tensor in read),
        dtype=flatbuffer.dtype_name(main.tensors[outputs[0]].type) if outputs else "",
        shape=_shape(main, outputs[0]) if outputs else None,
        detail=options,
    )


def _layer(model: Any, main: Any, operator: Any, fact: OpFact, stored: Mapping[int, int]) -> LayerFact:
    inputs = [_shape(main, index) for index in flatbuffer.sequence(operator.inputs)]
    outputs = flatbuffer.sequence(operator.outputs)
    output = _shape(main, outputs[0]) if outputs else None
    read = [main.tensors[stored.get(index, index)] for index in flatbuffer.sequence(operator.inputs) if index >= 0]
    weights = [tensor for tensor in read if fact.op != "DEQUANTIZE" and _is_parameter(model, tensor)]
    return LayerFact(
        name=fact.output,
        op=fact.op,
        shape=output,
        parameters=sum(map(elements, weights)),
        parameter_bytes=fact.weight_bytes,
        macs=multiplies.count(multiplies.TFLITE, fact.op, inputs, output, {}),
        dtype=flatbuffer.dtype_name(main.tensors[outputs[0]].type) if outputs else "",
    )


def _shape(main: Any, index: int) -> tuple[int, ...] | None:
    if index < 0:
        return ()
    return tuple(int(size) for size in flatbuffer.sequence(main.tensors[index].shape))


def elements(tensor: Any) -> int:
    """How many values a tensor of the file holds."""
    count = 1
    for size in flatbuffer.sequence(tensor.shape):
        count *= int(size)
    return count


def _is_parameter(model: Any, tensor: Any) -> bool:
    kind = flatbuffer.dtype_name(tensor.type)
    quantized = bool(flatbuffer.sequence(getattr(tensor.quantization, "scale", None)))
    real = kind.startswith(_PARAMETER_TYPES) or (quantized and kind.startswith("int"))
    return real and flatbuffer.tensor_bytes(model, tensor) > 0 and bool(flatbuffer.sequence(tensor.shape))


def _parameters(model: Any) -> int:
    """Values in all constants of all subgraphs that are weights or biases; a shared buffer counts once."""
    found = {int(tensor.buffer): tensor for tensor in constant_tensors(model) if _is_parameter(model, tensor)}
    return sum(map(elements, found.values()))


def _metadata(content: bytes, notes: list[str]) -> dict[str, Any]:
    try:
        return read_metadata(content)
    except ModelError as error:
        notes.append(f"{error.what} {error.why}")
        return {}


def _notes(layers: tuple[LayerFact, ...], edge_tpu: bool) -> list[str]:
    notes = []
    if edge_tpu:
        notes.append(
            "Compiled for the Edge TPU: what the compiler mapped is one closed operator, so its layers and MACs are "
            "not visible, and the file runs only with the Edge TPU's delegate."
        )
    unknown = [layer.name for layer in layers if layer.macs is None]
    if unknown:
        notes.append(f"The MACs of {len(unknown)} layers are not counted, because a shape is not known.")
    return notes
