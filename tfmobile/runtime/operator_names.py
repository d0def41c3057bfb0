"""Operators of a .tflite by the names users see: the first ``;`` part of the name of what an operator makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmobile.artifacts import OpFact
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.arithmetic import BOUNDARY
from tfmobile.runtime.describe import describe


def layer_of(tensor: str) -> str:
    """The name of the layer whose output tensor is called ``tensor``."""
    return tensor.partition(";")[0]


def operators_by_tensor(content: bytes) -> dict[str, OpFact]:
    """Every operator of the main subgraph that computes, by the full names of its outputs.

    Also by the names of what a border (QUANTIZE, DEQUANTIZE) makes of them: quantizers give the name of a model's
    output to the border, and the operator another one.
    """
    model = flatbuffer.view(content)
    main = model.subgraphs[0]
    facts = [fact for fact in describe(content).ops if fact.op not in BOUNDARY]
    return {name: fact for fact in facts for name in _names(model, main, fact.index)}


def _names(model: Any, main: Any, position: int) -> Iterator[str]:
    for index in flatbuffer.sequence(main.operators[position].outputs):
        if index < 0:
            continue
        yield flatbuffer.text(main.tensors[int(index)].name)
        for later in range(position + 1, len(main.operators)):
            operator = main.operators[later]
            if flatbuffer.op_name(model, operator) in BOUNDARY and int(operator.inputs[0]) == int(index):
                yield from _names(model, main, later)
