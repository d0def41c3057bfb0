"""What is in a .tflite: its inputs, outputs, operators by the arithmetic they use, and where its bytes are."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfmobile.artifacts import SizeFact, TensorFact, TFLiteModel
from tfmobile.runtime import attachments, flatbuffer
from tfmobile.runtime.arithmetic import classify

# Bytes of one element of each vector of QuantizationParameters.
_QUANTIZATION_WIDTHS = {"scale": 4, "zeroPoint": 8, "min": 4, "max": 4}


def describe(content: bytes, *, recipe: str = "", backend: str = "") -> TFLiteModel:
    """Read a .tflite without running it. ``recipe`` and ``backend`` name what made it and explain what stayed float.

    Raises ModelError when the file is not a whole .tflite.
    """
    model = flatbuffer.view(content)
    with flatbuffer.sound():
        return TFLiteModel(
            content=content,
            recipe=recipe,
            backend=backend,
            inputs=facts(model, "inputs"),
            outputs=facts(model, "outputs"),
            ops=classify(model, recipe, backend),
            size=measure(model, content),
            notes=_notes(model),
        )


def facts(model: Any, side: str) -> tuple[TensorFact, ...]:
    """The model's ``inputs`` or ``outputs``, named by the key of the main signature, else by tensor name."""
    main = model.subgraphs[0]
    indices = [int(index) for index in flatbuffer.sequence(getattr(main, side))]
    names = _keys(model, side, indices)
    return tuple(tensor_fact(main.tensors[index], names.get(index)) for index in indices)


def _keys(model: Any, side: str, indices: list[int]) -> Mapping[int, str]:
    known = flatbuffer.signatures(model)
    first = [flatbuffer.MAIN_SIGNATURE] if flatbuffer.MAIN_SIGNATURE in known else sorted(known)
    for key in first:
        by_key = known[key][0 if side == "inputs" else 1]
        if by_key and set(by_key.values()) == set(indices):
            return {index: name for name, index in by_key.items()}
    return {}


def tensor_fact(tensor: Any, name: str | None = None) -> TensorFact:
    """One tensor of the file; a dimension that may change reads −1. A tensor with one scale a channel has scale 0."""
    shape = flatbuffer.sequence(tensor.shapeSignature) or flatbuffer.sequence(tensor.shape)
    scales = flatbuffer.sequence(getattr(tensor.quantization, "scale", None))
    zero_points = flatbuffer.sequence(getattr(tensor.quantization, "zeroPoint", None))
    single = len(scales) == 1
    return TensorFact(
        name=name or flatbuffer.text(tensor.name),
        shape=tuple(int(size) for size in shape),
        dtype=flatbuffer.dtype_name(tensor.type),
        scale=float(scales[0]) if single else 0.0,
        zero_point=int(zero_points[0]) if single and zero_points else 0,
    )


def measure(model: Any, content: bytes) -> SizeFact:
    """Where the bytes are: constants of tensors, quantization parameters, metadata with attached files, the rest."""
    used = {int(tensor.buffer) for tensor in _tensors(model)}
    entries = {int(entry.buffer) for entry in model.metadata or ()} - used
    weights = sum(_length(model.buffers[index].data) for index in used)
    metadata = sum(_length(model.buffers[index].data) for index in entries)
    metadata += len(content) - attachments.start(content)
    quantization = sum(_quantization_bytes(tensor.quantization) for tensor in _tensors(model))
    return SizeFact(
        total_bytes=len(content),
        weight_bytes=weights,
        quantization_bytes=quantization,
        metadata_bytes=metadata,
        other_bytes=max(len(content) - weights - metadata - quantization, 0),
        zipped_bytes=len(zlib.compress(content, 6)),
    )


def _tensors(model: Any) -> Iterator[Any]:
    for subgraph in model.subgraphs:
        yield from subgraph.tensors or ()


def _length(data: Any) -> int:
    return 0 if data is None else len(data)


def _quantization_bytes(quantization: Any) -> int:
    if quantization is None:
        return 0
    return sum(_length(getattr(quantization, field)) * width for field, width in _QUANTIZATION_WIDTHS.items())


def _notes(model: Any) -> tuple[str, ...]:
    notes = []
    if len(model.subgraphs) > 1:
        notes.append(f"The file has {len(model.subgraphs)} subgraphs; inputs and outputs are those of the first.")
    scales = [getattr(tensor.quantization, "scale", None) for tensor in _tensors(model)]
    if not all(np.isfinite(scale).all() for scale in scales if scale is not None):
        notes.append("A quantization scale in the file is NaN or infinite: the runtime can crash on it.")
    return tuple(notes)
