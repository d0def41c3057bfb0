"""The layers of a quantized .tflite as what diagnosis looks at: grids, weights, biases, and what each one reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmobile.artifacts import OpFact
from tfmobile.graph.model import Array
from tfmobile.runtime import describe, flatbuffer
from tfmobile.runtime.arithmetic import BOUNDARY

INPUT = "INPUT"
"""Stands for the operator of a layer that is an input of the model."""

CHANNEL_AXIS: Mapping[str, int] = {
    "CONV_2D": 0,
    "DEPTHWISE_CONV_2D": -1,
    "FULLY_CONNECTED": 0,
    "TRANSPOSE_CONV": 0,
    "CONV_3D": -1,
}
"""Operators with weights (their second input): the axis of the weights that is the output channel."""


MOVES = frozenset(
    {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "MAX_POOL_2D", "PAD", "SLICE", "STRIDED_SLICE", "SPLIT",
     "SPLIT_V", "GATHER", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "TILE"}
)  # fmt: skip
"""Operators that only move values: they round nothing, and their output has the grid of what they read."""


@dataclass(frozen=True)
class Grid:
    """The values a quantized tensor can hold: (q − zero_point) · scale. ``scale`` 0 means that it is float."""

    scale: float
    zero_point: int
    dtype: str

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest real value, as the kernels see it; (0, 0) for a float tensor."""
        if not self.scale:
            return 0.0, 0.0
        kind = np.iinfo(self.dtype)
        return (kind.min - self.zero_point) * self.scale, (kind.max - self.zero_point) * self.scale


@dataclass(frozen=True)
class Weights:
    """Weights of one layer. ``maxima`` [output channels]: the largest absolute float weight of each.

    ``scales``: one, or one an output channel. ``bias``: int32 [channels], or None.
    """

    maxima: Array
    scales: Array
    bias: Array | None


@dataclass(frozen=True)
class QuantizedLayer:
    """One operator of the quantized model, or an input of it (``op`` INPUT).

    ``name``: the first part of the output tensor's name; ``tensor``: the whole name in the float .tflite, by which
    statistics go. ``inputs``: names of the layers and model inputs it reads, past QUANTIZE and DEQUANTIZE.
    ``kind`` and ``reason``: as in OpFact. ``answer``: whether it is an output of the model.
    """

    name: str
    op: str
    tensor: str
    quantized_tensor: str
    grid: Grid
    inputs: tuple[str, ...]
    kind: str = "integer"
    reason: str = ""
    weights: Weights | None = None
    answer: bool = False
    multiplies: int = 0
    """Multiplications of one inference, where it has weights."""


def quantized_layers(floating: bytes, quantized: bytes) -> tuple[QuantizedLayer, ...]:
    """Inputs first, then operators in execution order, without those that only move between integers and floats."""
    return tuple(_Reader(floating, quantized).layers())


def movers(layers: Sequence[QuantizedLayer]) -> dict[str, str]:
    """Layer that only moves values → the layer whose values they are."""
    known = {layer.name: layer for layer in layers}
    found: dict[str, str] = {}
    for layer in layers:
        if layer.op in MOVES and len(layer.inputs) == 1 and layer.inputs[0] in known:
            before = known[layer.inputs[0]]
            if before.grid == layer.grid:
                found[layer.name] = found.get(before.name, before.name)
    return found


class _Reader:
    def __init__(self, floating: bytes, quantized: bytes) -> None:
        self._float, self._model = flatbuffer.read(floating), flatbuffer.read(quantized)
        self._main = self._model.subgraphs[0]
        self._facts: Mapping[int, OpFact] = {fact.index: fact for fact in describe(quantized).ops}
        self._operators = flatbuffer.sequence(self._main.operators)
        self._makers = {int(index): operator for operator in self._operators for index in _given(operator.outputs)}
        self._known = {flatbuffer.text(tensor.name) for tensor in self._float.subgraphs[0].tensors}
        self._float_weights = dict(self._float_maxima())
        self._inputs = {
            int(ours): flatbuffer.text(self._float.subgraphs[0].tensors[int(theirs)].name)
            for ours, theirs in zip(self._main.inputs, self._float.subgraphs[0].inputs, strict=True)
        }

    def layers(self) -> Iterator[QuantizedLayer]:
        for index, name in self._inputs.items():
            found = self._behind(index)
            yield QuantizedLayer(first(name), INPUT, name, self._name(found), self._grid(found), ())
        for position, operator in enumerate(self._operators):
            if flatbuffer.op_name(self._model, operator) not in BOUNDARY:
                yield from self._layer(operator, self._facts[position])

    def _layer(self, operator: Any, fact: OpFact) -> Iterator[QuantizedLayer]:
        for index in _given(operator.outputs):
            tensor = self._float_name(index)
            yield QuantizedLayer(
                name=first(tensor),
                op=fact.op,
                tensor=tensor,
                quantized_tensor=self._name(index),
                grid=self._grid(index),
                inputs=tuple(dict.fromkeys(self._sources(operator))),
                kind=fact.kind,
                reason=fact.reason,
                weights=self._weights(operator, fact.op, tensor),
                multiplies=self._multiplies(operator, fact.op, index),
                answer=any(after in map(int, self._main.outputs) for after in (index, *self._after(index))),
            )
            return  # further outputs (of SPLIT, say) have the grid of the first

    def _sources(self, operator: Any) -> Iterator[str]:
        for index in _given(operator.inputs):
            if flatbuffer.tensor_data(self._model, self._main.tensors[index]) is not None:
                continue
            while index in self._makers and flatbuffer.op_name(self._model, self._makers[index]) in BOUNDARY:
                index = int(self._makers[index].inputs[0])
            yield first(self._inputs.get(index) or self._float_name(index))

    def _behind(self, index: int) -> int:
        """The quantized form of a model input: what its QUANTIZE gives, where it is float."""
        for operator in self._readers(index):
            if flatbuffer.op_name(self._model, operator) == "QUANTIZE" and not self._grid(index).scale:
                return int(operator.outputs[0])
        return index

    def _after(self, index: int) -> Iterator[int]:
        for operator in self._readers(index):
            if flatbuffer.op_name(self._model, operator) in BOUNDARY:
                yield int(operator.outputs[0])

    def _readers(self, index: int) -> Iterator[Any]:
        return (operator for operator in self._operators if index in _given(operator.inputs))

    def _float_name(self, index: int) -> str:
        """The tensor's name in the float model: a DEQUANTIZE behind an output keeps the name that it had."""
        name = self._name(index)
        others = (self._name(after) for after in self._after(index))
        return name if name in self._known else next((other for other in others if other in self._known), name)

    def _name(self, index: int) -> str:
        return flatbuffer.text(self._main.tensors[index].name)

    def _grid(self, index: int) -> Grid:
        tensor = self._main.tensors[index]
        scales = flatbuffer.sequence(getattr(tensor.quantization, "scale", None))
        zeros = flatbuffer.sequence(getattr(tensor.quantization, "zeroPoint", None))
        dtype = flatbuffer.dtype_name(tensor.type)
        if len(scales) != 1 or dtype not in ("int8", "uint8", "int16"):
            return Grid(0.0, 0, dtype)
        return Grid(float(scales[0]), int(zeros[0]) if zeros else 0, dtype)

    def _weights(self, operator: Any, op: str, tensor: str) -> Weights | None:
        if op not in CHANNEL_AXIS or len(operator.inputs) < 2:
            return None
        stored = self._main.tensors[int(operator.inputs[1])]
        scales = np.asarray(flatbuffer.sequence(getattr(stored.quantization, "scale", None)), np.float64)
        values = flatbuffer.tensor_data(self._model, stored)
        if values is None or not scales.size or values.dtype.kind not in "iu":
            return None
        maxima = _maxima(values.astype(np.float64), CHANNEL_AXIS[op])
        real = maxima * scales if scales.size in (1, maxima.size) else maxima
        place = int(operator.inputs[2]) if op != "TRANSPOSE_CONV" and len(operator.inputs) > 2 else -1
        bias = flatbuffer.tensor_data(self._model, self._main.tensors[place]) if place >= 0 else None
        return Weights(self._float_weights.get(tensor, real), scales, bias)

    def _multiplies(self, operator: Any, op: str, index: int) -> int:
        if op not in CHANNEL_AXIS or len(operator.inputs) < 2:
            return 0
        weights = flatbuffer.sequence(self._main.tensors[int(operator.inputs[1])].shape)
        output = flatbuffer.sequence(self._main.tensors[index].shape)
        channels = int(weights[CHANNEL_AXIS[op]]) if weights else 1
        return math.prod(int(size) for size in (*output, *weights)) // max(channels, 1)

    def _float_maxima(self) -> Iterator[tuple[str, Array]]:
        main = self._float.subgraphs[0]
        for operator in flatbuffer.sequence(main.operators):
            op = flatbuffer.op_name(self._float, operator)
            if op in CHANNEL_AXIS and len(operator.inputs) > 1:
                values = flatbuffer.tensor_data(self._float, main.tensors[int(operator.inputs[1])])
                if values is not None and values.dtype.kind == "f":
                    yield (
                        flatbuffer.text(main.tensors[int(operator.outputs[0])].name),
                        _maxima(values, CHANNEL_AXIS[op]),
                    )


def first(name: str) -> str:
    """The name of a layer, as users see it."""
    return name.split(";")[0]


def _maxima(values: Array, axis: int) -> Array:
    moved = np.moveaxis(np.abs(values.astype(np.float64)), axis, 0)
    found: Array = moved.reshape(moved.shape[0], -1).max(axis=1)
    return found


def _given(indices: Any) -> list[int]:
    """The tensor indices that are there: an optional input that is not given reads −1."""
    return [int(index) for index in flatbuffer.sequence(indices) if index >= 0]
