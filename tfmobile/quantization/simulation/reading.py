"""What a simulation needs of a quantized .tflite: operators in execution order, with their tensors and constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer

INTEGERS = frozenset({"int8", "uint8", "int16"})


@dataclass(frozen=True)
class Tensor:
    """A tensor of the main subgraph. ``scales`` [1 or channels] float32 is empty when it is not quantized.

    ``value`` is the stored constant, None when it is computed. real = scale · (integer − zero_point).
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: Array
    zero_point: int
    axis: int
    value: Array | None

    @property
    def quantized(self) -> bool:
        """Whether it holds integers with one scale, as activations do."""
        return self.dtype in INTEGERS and self.scales.size == 1

    @property
    def scale(self) -> np.float32:
        return np.float32(self.scales[0])

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and largest integer, counted from the zero point."""
        kind = np.iinfo(self.dtype)
        return int(kind.min) - self.zero_point, int(kind.max) - self.zero_point


@dataclass(frozen=True)
class Operator:
    """One operator; an input is None where an optional one is not given. ``options`` by the names of the schema."""

    op: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]

    @property
    def data(self) -> tuple[Tensor, ...]:
        """The inputs that are computed."""
        return tuple(tensor for tensor in self.inputs if tensor is not None and tensor.value is None)


@dataclass(frozen=True)
class QuantizedModel:
    """The main subgraph; ``inputs`` and ``outputs`` by key of the signature, else by position ("0", "1", …)."""

    operators: tuple[Operator, ...]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    subgraphs: int


def read(content: bytes) -> QuantizedModel:
    """The parts of a .tflite. Raises ModelError for what is not one."""
    model = flatbuffer.read(content)
    main = model.subgraphs[0]
    tensors = [_tensor(model, index, one) for index, one in enumerate(main.tensors)]
    operators = tuple(_operator(model, one, tensors) for one in flatbuffer.sequence(main.operators))
    signature = flatbuffer.signatures(model).get(flatbuffer.MAIN_SIGNATURE)
    inputs, outputs = signature or (_numbered(main.inputs), _numbered(main.outputs))
    return QuantizedModel(
        operators,
        {key: tensors[index] for key, index in inputs.items()},
        {key: tensors[index] for key, index in outputs.items()},
        len(model.subgraphs),
    )


def _numbered(indices: Any) -> dict[str, int]:
    return {str(position): int(index) for position, index in enumerate(indices)}


def _tensor(model: Any, index: int, one: Any) -> Tensor:
    parameters = one.quantization
    scales = np.array(flatbuffer.sequence(getattr(parameters, "scale", None)), np.float32)
    zeros = flatbuffer.sequence(getattr(parameters, "zeroPoint", None))
    return Tensor(
        index=index,
        name=flatbuffer.text(one.name),
        shape=tuple(int(size) for size in flatbuffer.sequence(one.shape)),
        dtype=flatbuffer.dtype_name(one.type),
        scales=scales,
        zero_point=int(zeros[0]) if zeros else 0,
        axis=int(getattr(parameters, "quantizedDimension", 0) or 0),
        value=None if one.isVariable else flatbuffer.tensor_data(model, one),
    )


def _operator(model: Any, one: Any, tensors: list[Tensor]) -> Operator:
    return Operator(
        op=flatbuffer.op_name(model, one),
        inputs=tuple(tensors[index] if index >= 0 else None for index in flatbuffer.sequence(one.inputs)),
        outputs=tuple(tensors[index] for index in flatbuffer.sequence(one.outputs) if index >= 0),
        options=dict(vars(one.builtinOptions)) if one.builtinOptions is not None else {},
    )
