"""Which operators of a .tflite compute in integers and which in float, the weights of each, and why it stayed float."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmobile import datafiles
from tfmobile.artifacts import OpFact
from tfmobile.runtime import flatbuffer

BOUNDARY = frozenset({"QUANTIZE", "DEQUANTIZE"})
FLOATS = frozenset({"float32", "float16", "float64", "bfloat16", "complex64", "complex128"})
INTEGERS = frozenset({"int8", "uint8", "int16", "int4", "uint4", "int2"})
NARROW = INTEGERS | {"float16", "bfloat16"}


@dataclass(frozen=True)
class Reason:
    """One row of left_float.toml; the file explains the keys."""

    text: str
    ops: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    backend: str = ""
    where: str = ""

    def fits(self, op: str, recipe: str, backend: str, where: frozenset[str]) -> bool:
        """Whether this row explains an operator that stayed float."""
        return (
            (not self.ops or op in self.ops)
            and (not self.recipes or recipe in self.recipes)
            and self.backend in backend
            and (not self.where or self.where in where)
        )


@functools.cache
def reasons() -> tuple[Reason, ...]:
    """The rows of left_float.toml in order."""
    path = Path(__file__).with_name("left_float.toml")
    rows = datafiles.read_toml(path)["reason"]
    return tuple(datafiles.row(Reason, values, f"'{path.name}'") for values in rows)


def classify(model: Any, recipe: str = "", backend: str = "") -> tuple[OpFact, ...]:
    """Every operator of the main subgraph, in execution order; shared weights count for the first that reads them."""
    main = _Main(model)
    kinds = [main.kind(operator) for operator in main.operators]
    explain = bool(recipe) or "integer" in kinds
    counted: set[int] = set()
    return tuple(
        OpFact(
            index=index,
            op=main.name(operator),
            output=main.output(operator),
            kind=kinds[index],
            weight_bytes=main.weight_bytes(operator, counted),
            reason=_reason(main, operator, kinds, recipe, backend) if explain and kinds[index] == "float" else "",
        )
        for index, operator in enumerate(main.operators)
    )


def _reason(main: _Main, operator: Any, kinds: list[str], recipe: str, backend: str) -> str:
    where = frozenset(main.places(operator, kinds))
    name = main.name(operator)
    return next((row.text for row in reasons() if row.fits(name, recipe, backend, where)), "")


class _Main:
    """The main subgraph with the look-ups that classification needs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.graph = model.subgraphs[0]
        self.operators = flatbuffer.sequence(self.graph.operators)
        self.maker = {
            int(index): position
            for position, operator in enumerate(self.operators)
            for index in flatbuffer.sequence(operator.outputs)
        }

    def name(self, operator: Any) -> str:
        return flatbuffer.op_name(self.model, operator)

    def output(self, operator: Any) -> str:
        for index in _used(operator.outputs):
            return flatbuffer.text(self.graph.tensors[index].name)
        return ""

    def dtype(self, index: int) -> str:
        return flatbuffer.dtype_name(self.graph.tensors[index].type)

    def size(self, index: int) -> int:
        return flatbuffer.tensor_bytes(self.model, self.graph.tensors[index])

    def quantized(self, index: int) -> bool:
        """Whether a tensor stands for real values: an integer type with a scale, not raw bytes or token numbers."""
        quantization = self.graph.tensors[index].quantization
        return self.dtype(index) in INTEGERS and bool(flatbuffer.sequence(getattr(quantization, "scale", None)))

    def constant(self, index: int) -> bool:
        return index not in self.maker and self.size(index) > 0

    def stored(self, index: int) -> int | None:
        """The constant behind a tensor: itself, or what a DEQUANTIZE restores it from."""
        if self.constant(index):
            return index
        position = self.maker.get(index)
        if position is None or self.name(self.operators[position]) != "DEQUANTIZE":
            return None
        source = next(_used(self.operators[position].inputs), None)
        return source if source is not None and self.constant(source) else None

    def weights(self, operator: Any) -> list[int]:
        found = [self.stored(index) for index in _used(operator.inputs)]
        return [index for index in found if index is not None and self.dtype(index) in FLOATS | NARROW]

    def kind(self, operator: Any) -> str:
        if self.name(operator) in BOUNDARY:
            return "boundary"
        moving = [index for index in _used(operator.inputs) if self.stored(index) is None]
        types = {self.dtype(index) for index in [*moving, *_used(operator.outputs)]}
        if types & FLOATS:
            return "weight-only" if any(self.dtype(w) in NARROW for w in self.weights(operator)) else "float"
        return "integer" if any(map(self.quantized, [*moving, *_used(operator.outputs)])) else "other"

    def weight_bytes(self, operator: Any, counted: set[int]) -> int:
        """Bytes of the constants it reads whose buffer is not in ``counted`` yet, which they are added to."""
        if self.name(operator) == "DEQUANTIZE":
            return 0
        total = 0
        for index in _used(operator.inputs):
            source = self.stored(index)
            buffer = None if source is None else int(self.graph.tensors[source].buffer)
            if source is None or buffer is None or buffer in counted:
                continue
            counted.add(buffer)
            total += self.size(source)
        return total

    def places(self, operator: Any, kinds: list[str]) -> Iterator[str]:
        """The ``where`` words of left_float.toml that are true for an operator."""
        yield "weights" if self.weights(operator) else "no-weights"
        moving = [index for index in _used(operator.inputs) if self.stored(index) is None]
        if any(index in flatbuffer.sequence(self.graph.inputs) for index in moving):
            yield "float-input"
        if any(index in flatbuffer.sequence(self.graph.outputs) for index in _used(operator.outputs)):
            yield "float-output"
        makers = [self.maker[index] for index in moving if index in self.maker]
        if makers and all(kinds[maker] == "float" for maker in makers):
            yield "float-neighbours"


def _used(indices: Any) -> Iterator[int]:
    """The tensor indices that are there: an optional input that is not given reads −1."""
    return (int(index) for index in flatbuffer.sequence(indices) if index >= 0)
