"""A .tflite as a side of the comparison: the operators of its main subgraph. It is run in child processes only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.differences.operator_options import option_texts, readable
from tfmobile.differences.sides import Constant, End, Feeds, Part, Source, Tensor
from tfmobile.graph.model import Array, TensorRef
from tfmobile.runtime import child, describe, flatbuffer

WORKER = "tfmobile.differences.tensor_worker"
_NOT_NUMBERS = frozenset({"string", "resource", "variant"})
_REAL = ("float", "bfloat", "complex")
_TIMEOUT_S = 300.0


class TFLiteSide:
    """Reads the file without running it; ``what`` names it in errors. Raises ModelError when it is not a whole one."""

    kind = "tflite"

    def __init__(self, content: bytes, what: str) -> None:
        self._content, self._what = content, what
        facts = describe(content)
        self._model = readable(content)
        with flatbuffer.sound():
            self._main = self._model.subgraphs[0]
            self.hidden = len(self._model.subgraphs) - 1
            tensors = self._main.tensors
            self._names = _unique([flatbuffer.text(tensor.name) for tensor in tensors])
            held = [flatbuffer.tensor_bytes(self._model, tensor) > 0 for tensor in tensors]
            self._constant_names = frozenset(name for name, one in zip(self._names, held, strict=True) if one)
            self._read(facts.inputs, facts.outputs)

    def count(self) -> int:
        return len(self.parts)

    def label(self, name: str) -> str:
        """The converter writes all the nodes an operator was made of, the last first: that one says it best."""
        return name.partition(";")[0]

    def is_constant(self, name: str) -> bool:
        return name in self._constant

    def tensors(self) -> list[Tensor]:
        return [
            Tensor(ref, self._names[index], _bytes(self._main.tensors[index]), discrete=not self._is_real(index))
            for ref, index in self._index.items()
            if ref.node in self.parts and ref.node not in self._constant and self._is_numbers(index)
        ]

    def values(self, refs: Sequence[TensorRef], feeds: Feeds) -> Iterator[Mapping[TensorRef, Array]]:
        indices = {ref: self._index[ref] for ref in refs}
        answer = child.call(
            WORKER,
            {"tensors": sorted(set(indices.values()))},
            files={"model": self._content},
            arrays=feeds,
            timeout_s=_TIMEOUT_S,
            what=self._what,
        )
        for arrays in answer.arrays:
            yield {ref: arrays[str(index)] for ref, index in indices.items()}

    def close(self) -> None:
        """Nothing is kept open: every child has ended."""

    def _read(self, inputs: Sequence[TensorFact], outputs: Sequence[TensorFact]) -> None:
        main = self._main
        ends = [int(index) for index in flatbuffer.sequence(main.inputs)]
        self._refs = {index: TensorRef(self._names[index]) for index in ends}
        parts: dict[str, Part] = {}
        self._constant: set[str] = set()
        for number, operator in enumerate(flatbuffer.sequence(main.operators)):
            part = self._part(operator, number)
            parts[part.name] = part
            if part.inputs and all(self._is_fixed(source) for source in part.inputs):
                self._constant.add(part.name)
        self.parts: Mapping[str, Part] = parts
        self.inputs = tuple(_end(fact, self._refs[index]) for fact, index in zip(inputs, ends, strict=True))
        ends = [int(index) for index in flatbuffer.sequence(main.outputs)]
        for index in ends:
            self._refs.setdefault(index, TensorRef(self._names[index]))
        self.outputs = tuple(_end(fact, self._refs[index]) for fact, index in zip(outputs, ends, strict=True))
        self._index = {ref: index for index, ref in self._refs.items()}

    def _part(self, operator: Any, number: int) -> Part:
        made = [int(index) for index in flatbuffer.sequence(operator.outputs) if index >= 0]
        sources = tuple(self._source(int(index)) for index in flatbuffer.sequence(operator.inputs))
        name = self._names[made[0]] if made else f"operator {number}"
        for position, index in enumerate(made):
            self._refs[index] = TensorRef(name, position)
        tensor = self._main.tensors[made[0]] if made else None
        code = self._model.operatorCodes[operator.opcodeIndex]
        traits = {"version": str(max(int(code.version), 1))}
        if tensor is not None:
            traits["output type"] = flatbuffer.dtype_name(tensor.type)
            traits["output shape"] = str([int(size) for size in flatbuffer.sequence(tensor.shape)])
            traits["output quantization"] = _quantization(tensor)
        return Part(
            name=name,
            op=flatbuffer.op_name(self._model, operator),
            inputs=sources,
            settings=option_texts(operator),
            traits={key: value for key, value in traits.items() if value},
            aliases=self._aliases(made[0]) if made else (),
        )

    def _source(self, index: int) -> Source:
        if index < 0:
            return None
        tensor = self._main.tensors[index]
        if index not in self._refs and flatbuffer.tensor_bytes(self._model, tensor):
            return _constant(self._model, tensor, self._names[index])
        return self._refs.get(index) or TensorRef(self._names[index])

    def _is_fixed(self, source: Source) -> bool:
        return not isinstance(source, TensorRef) or source.node in self._constant

    def _aliases(self, index: int) -> tuple[str, ...]:
        """The nodes named in a tensor's name. A bias that has the same name first leaves it a number at the end."""
        name = self._names[index]
        base = name.rstrip("0123456789")
        endings = [name[:end] for end in range(len(base), len(name) + 1)]
        plain = next((one for one in endings if one in self._constant_names), name)
        return tuple(dict.fromkeys(part for one in (name, plain) for part in one.split(";") if part))

    def _is_real(self, index: int) -> bool:
        tensor = self._main.tensors[index]
        return flatbuffer.dtype_name(tensor.type).startswith(_REAL) or bool(_quantization(tensor))

    def _is_numbers(self, index: int) -> bool:
        return flatbuffer.dtype_name(self._main.tensors[index].type) not in _NOT_NUMBERS


def _unique(names: Sequence[str]) -> list[str]:
    """A second tensor of the same name is called ``name#2``; one without a name ``#1``."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if name and seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def _end(fact: TensorFact, ref: TensorRef) -> End:
    shape = tuple(None if size < 0 else size for size in fact.shape)
    return End(fact.name, ref, fact.dtype, shape, fact.scale, fact.zero_point)


def _constant(model: Any, tensor: Any, name: str) -> Constant:
    stored = flatbuffer.tensor_data(model, tensor)
    assert stored is not None
    shape = tuple(int(size) for size in flatbuffer.sequence(tensor.shape))
    return Constant(
        name=name,
        stored=stored,
        dtype=flatbuffer.dtype_name(tensor.type),
        shape=shape,
        restore=lambda: _real(tensor, stored, shape),
        quantization=_quantization(tensor),
    )


def _real(tensor: Any, stored: Array, shape: tuple[int, ...]) -> Array | None:
    """What quantized weights stand for, one scale a channel too; None for packed types such as int4."""
    if stored.shape != shape or stored.dtype.kind not in "iufb":
        return None
    scales = np.asarray(flatbuffer.sequence(getattr(tensor.quantization, "scale", None)), np.float32)
    if not scales.size or stored.dtype.kind not in "iu":
        return stored
    zeros = np.asarray(flatbuffer.sequence(tensor.quantization.zeroPoint) or [0] * scales.size, np.float32)
    if scales.size > 1:
        axis = int(tensor.quantization.quantizedDimension)
        if not (axis < stored.ndim and stored.shape[axis] == scales.size == zeros.size):
            return None
        wide = [1] * stored.ndim
        wide[axis] = scales.size
        scales, zeros = scales.reshape(wide), zeros.reshape(wide)
    real: Array = (stored.astype(np.float32) - zeros) * scales
    return real


def _quantization(tensor: Any) -> str:
    scales = flatbuffer.sequence(getattr(tensor.quantization, "scale", None))
    if not scales:
        return ""
    if len(scales) > 1:
        return f"{len(scales)} scales, {min(scales):.6g} to {max(scales):.6g}"
    zeros = flatbuffer.sequence(tensor.quantization.zeroPoint) or [0]
    return f"scale {float(scales[0]):.6g}, zero point {int(zeros[0])}"


def _bytes(tensor: Any) -> int:
    return 4 * math.prod(max(int(size), 1) for size in flatbuffer.sequence(tensor.shape))
