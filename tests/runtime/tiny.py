"""Tiny .tflite files built by hand, so that the runtime's tests need no converter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmobile.runtime import flatbuffer


class Builder:
    """One subgraph: add tensors and operators, then ``model`` or ``content``."""

    def __init__(self) -> None:
        self.schema = flatbuffer.schema()
        self.buffers = [self.schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[Any] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        value: Any = None,
        scale: float = 0.0,
        zero_point: int = 0,
    ) -> int:
        """Add a tensor, constant when it has a value; its index."""
        made = self.schema.TensorT()
        made.name, made.shape = name, np.array(shape, np.int32)
        made.type = getattr(self.schema.TensorType, dtype.upper())
        made.buffer = 0
        if value is not None:
            made.buffer = len(self.buffers)
            self.buffers.append(self.schema.BufferT())
            self.buffers[-1].data = np.frombuffer(np.asarray(value, dtype).tobytes(), np.uint8)
        if scale:
            made.quantization = self.schema.QuantizationParametersT()
            made.quantization.scale = np.array([scale], np.float32)
            made.quantization.zeroPoint = np.array([zero_point], np.int64)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> None:
        """Add an operator; ``options`` is an object of the schema such as ``AddOptionsT``."""
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        made = self.schema.OperatorT()
        made.opcodeIndex = len(self.codes)
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.codes.append(code)
        self.operators.append(made)

    def model(self, inputs: Sequence[int], outputs: Sequence[int]) -> Any:
        """The file as objects."""
        subgraph = self.schema.SubGraphT()
        subgraph.tensors, subgraph.operators = self.tensors, self.operators
        subgraph.inputs, subgraph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        model = self.schema.ModelT()
        model.version, model.description = 3, "tiny"
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [subgraph], self.buffers
        return model


def add_one(signature: tuple[Mapping[str, int], Mapping[str, int]] | None = None) -> bytes:
    """y = x + 1 on [1, 4] floats."""
    build = Builder()
    x, one, y = build.tensor("x", [1, 4]), build.tensor("one", [4], value=[1.0] * 4), build.tensor("y", [1, 4])
    build.operator("ADD", [x, one], [y], build.schema.AddOptionsT())
    model = build.model([x], [y])
    if signature:
        flatbuffer.set_signature(model, *signature)
    return flatbuffer.write(model)


def dense_half() -> bytes:
    """y = x · w with float16 weights [2, 4] restored by DEQUANTIZE."""
    build = Builder()
    x = build.tensor("x", [1, 4])
    half = build.tensor("w", [2, 4], "float16", value=np.arange(8).reshape(2, 4) / 4)
    full, y = build.tensor("w_float", [2, 4]), build.tensor("y", [1, 2])
    build.operator("DEQUANTIZE", [half], [full])
    build.operator("FULLY_CONNECTED", [x, full, -1], [y], build.schema.FullyConnectedOptionsT())
    return flatbuffer.write(build.model([x], [y]))


def quantized_relu(scale: float = 0.5, dtype: str = "int8") -> bytes:
    """y = relu(x) on quantized [1, 4], zero point 3 on both sides."""
    build = Builder()
    x = build.tensor("x", [1, 4], dtype, scale=scale, zero_point=3)
    y = build.tensor("y", [1, 4], dtype, scale=scale, zero_point=3)
    build.operator("RELU", [x], [y])
    return flatbuffer.write(build.model([x], [y]))


def endless() -> bytes:
    """A loop whose condition is always true: loads, and never ends."""
    return _loop(lambda body, b, c: body.operator("ABS", [b], [c]))


def crashing() -> bytes:
    """A loop whose body is a loop with the same body: preparing it never ends and overflows the stack."""

    def itself(body: Builder, b: int, c: int) -> None:
        body.operator("WHILE", [b], [c], _while_options(body))

    return _loop(itself)


def _loop(fill: Callable[[Builder, int, int], None]) -> bytes:
    build = Builder()
    x, y = build.tensor("x", [1]), build.tensor("y", [1])
    build.operator("WHILE", [x], [y], _while_options(build))
    model = build.model([x], [y])
    always = Builder()
    always.buffers, always.codes = build.buffers, build.codes
    a, low, more = always.tensor("a", [1]), always.tensor("low", [1], value=[-1e30]), always.tensor("more", [1], "bool")
    always.operator("GREATER", [a, low], [more])
    body = Builder()
    body.buffers, body.codes = build.buffers, build.codes
    b, c = body.tensor("b", [1]), body.tensor("c", [1])
    fill(body, b, c)
    model.subgraphs += [always.model([a], [more]).subgraphs[0], body.model([b], [c]).subgraphs[0]]
    return flatbuffer.write(model)


def _while_options(build: Builder) -> Any:
    options = build.schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    return options
