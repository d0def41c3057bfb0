"""What is drawn of a .tflite: its main subgraph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmobile.artifacts import OpFact
from tfmobile.graph.model import Shape
from tfmobile.inspection.drawing.operation import Operation, Operations, window_text
from tfmobile.inspection.drawing.roles import INPUT, OUTPUT, role
from tfmobile.inspection.facts import LayerFact, NodeGroup, TFLiteInspection
from tfmobile.inspection.operator_options import Options, operator_options
from tfmobile.inspection.printing import count, shape
from tfmobile.inspection.scheme import stored_weights
from tfmobile.inspection.tflite_rendering import quantization_text
from tfmobile.inspection.tflite_tensors import quantization
from tfmobile.runtime import describe, flatbuffer


def tflite_operations(content: bytes, found: TFLiteInspection) -> Operations:
    """The operators of the main subgraph, but for those that only restore stored weights; inputs and outputs."""
    model = flatbuffer.view(content)
    with flatbuffer.sound():
        return _Reader(model, content, found).read()


class _Reader:
    def __init__(self, model: Any, content: bytes, found: TFLiteInspection) -> None:
        self.model, self.found = model, found
        self.main = model.subgraphs[0]
        self.operators = flatbuffer.sequence(self.main.operators)
        self.facts = describe(content).ops
        self.options = operator_options(content, len(self.operators))
        self.stored = stored_weights(model, self.main)
        self.inputs = [int(index) for index in flatbuffer.sequence(self.main.inputs)]
        self.maker = {index: f"input:{index}" for index in self.inputs}
        for number, operator in enumerate(self.operators):
            self.maker.update({int(index): str(number) for index in flatbuffer.sequence(operator.outputs)})

    def read(self) -> Operations:
        restoring = {number for number, operator in enumerate(self.operators) if self._restores(operator)}
        items = [
            *(self._end(INPUT, index, fact.name) for index, fact in zip(self.inputs, self.found.inputs, strict=True)),
            *(
                self._operation(number, operator, self.facts[number], self.found.layers[number])
                for number, operator in enumerate(self.operators)
                if number not in restoring
            ),
            *(
                self._end(OUTPUT, int(index), fact.name)
                for index, fact in zip(flatbuffer.sequence(self.main.outputs), self.found.outputs, strict=True)
            ),
        ]
        hidden = [f"{len(restoring):,} operators that restore stored weights"] if restoring else []
        if len(self.found.subgraphs) > 1:
            hidden.append(f"{len(self.found.subgraphs) - 1:,} other subgraphs")
        return Operations(tuple(items), tuple(hidden))

    def _restores(self, operator: Any) -> bool:
        outputs = flatbuffer.sequence(operator.outputs)
        return bool(outputs) and int(outputs[0]) in self.stored

    def _end(self, side: str, index: int, name: str) -> Operation:
        tensor = self.main.tensors[index]
        makers = (self.maker[index],) if side == OUTPUT and index in self.maker else ()
        return Operation(
            key=f"{side}:{index}",
            name=name,
            op=side.capitalize(),
            inputs=makers,
            shape=self._shape(index),
            dtype=flatbuffer.dtype_name(tensor.type),
            quantization=quantization_text(quantization(tensor)),
            facts=(("Tensor", self._tensor(index)),),
            end=side,
        )

    def _operation(self, number: int, operator: Any, fact: OpFact, layer: LayerFact) -> Operation:
        read = [int(index) for index in flatbuffer.sequence(operator.inputs) if index >= 0]
        outputs = [int(index) for index in flatbuffer.sequence(operator.outputs)]
        moving = [index for index in read if index in self.maker and index not in self.stored]
        options = self.options[number]
        made = self.main.tensors[outputs[0]] if outputs else None
        return Operation(
            key=str(number),
            name=fact.output.rpartition(";")[2] or fact.op,
            op=fact.op,
            inputs=tuple(dict.fromkeys(self.maker[index] for index in moving)),
            constants=len(read) - len(moving),
            window=self._window(fact.op, read, options),
            follows=str(options.get("fused_activation_function", "")),
            shape=self._shape(outputs[0]) if outputs else None,
            dtype=layer.dtype,
            quantization="" if made is None else quantization_text(quantization(made)),
            parameters=layer.parameters,
            parameter_bytes=layer.parameter_bytes,
            macs=layer.macs,
            facts=tuple(self._rows(number, read, outputs, fact, layer, options)),
            warning=self._warning(fact),
        )

    def _rows(
        self, number: int, read: list[int], outputs: list[int], fact: OpFact, layer: LayerFact, options: Options
    ) -> Iterator[tuple[str, str]]:
        yield "Operator", f"number {number}, {fact.kind}" + (f": {fact.reason}" if fact.reason else "")
        for index in outputs:
            yield "Makes", self._tensor(index)
        for index in read:
            yield "Reads", self._tensor(self.stored.get(index, index))
        if layer.parameters:
            yield "Parameters", f"{layer.parameters:,} ({layer.parameter_bytes:,} bytes)"
        if layer.macs != 0:
            yield "MACs", "not known" if layer.macs is None else f"{layer.macs:,} ({count(layer.macs)})"
        for key, value in options.items():
            yield key, str(value)

    def _tensor(self, index: int) -> str:
        tensor = self.main.tensors[index]
        stored = flatbuffer.tensor_bytes(self.model, tensor)
        name = flatbuffer.text(tensor.name).rpartition(";")[2]
        parts = [
            f"{name}: {flatbuffer.dtype_name(tensor.type)} {shape(self._shape(index))}",
            f"{stored:,} bytes" if stored else "",
            quantization_text(quantization(tensor)),
        ]
        return ", ".join(filter(None, parts))

    def _shape(self, index: int) -> Shape:
        tensor = self.main.tensors[index]
        dims = flatbuffer.sequence(tensor.shapeSignature) or flatbuffer.sequence(tensor.shape)
        return tuple(None if size < 0 else int(size) for size in dims)

    def _window(self, op: str, read: list[int], options: Options) -> str:
        kernel: tuple[int, ...] = ()
        if role(op) in ("convolution", "depthwise") and len(read) > 1:
            weights = [int(size) for size in flatbuffer.sequence(self.main.tensors[read[1]].shape)]
            kernel = tuple(weights[1:3]) if len(weights) == 4 else ()
        if "filter_height" in options:
            kernel = (options["filter_height"], options.get("filter_width", 1))
        strides = [options[key] for key in ("stride_h", "stride_w") if key in options]
        dilations = [options[key] for key in ("dilation_hfactor", "dilation_wfactor") if key in options]
        return window_text(kernel, strides if kernel else (), dilations if kernel else ())

    def _warning(self, fact: OpFact) -> str:
        against: list[NodeGroup] = [
            group for one in self.found.targets if one.target == "cpu" for group in one.ops if group.op == fact.op
        ]
        return against[0].why if against else ""
