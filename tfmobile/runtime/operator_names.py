"""Operators of a .tflite by the names users see: the first ``;`` part of the name of what an operator makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfmobile.artifacts import OpFact
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.arithmetic import BOUNDARY, classify


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
    behind: dict[int, list[Any]] = {}
    for operator in flatbuffer.sequence(main.operators):
        if flatbuffer.op_name(model, operator) in BOUNDARY:
            behind.setdefault(int(operator.inputs[0]), []).append(operator)
    return {
        name: fact
        for fact in classify(model)
        if fact.op not in BOUNDARY
        for name in _names(main, main.operators[fact.index], behind)
    }


def _names(main: Any, operator: Any, behind: Mapping[int, list[Any]]) -> Iterator[str]:
    for index in flatbuffer.sequence(operator.outputs):
        if index < 0:
            continue
        yield flatbuffer.text(main.tensors[int(index)].name)
        for border in behind.get(int(index), ()):
            yield from _names(main, border, behind)
