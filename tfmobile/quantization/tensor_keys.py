"""Which tensors of a float .tflite have a range, and by which key a Calibration names them."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tfmobile.errors import ToolError
from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer

Ranges = dict[str, tuple[float, float]]
"""Smallest and largest value by key."""

Place = tuple[int, int]
"""Subgraph and tensor index."""

FUSED_CELLS = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM")


def range_keys(model: Any) -> dict[Place, str]:
    """Every float tensor that is an input or computed, by place; the key is its name, made unique where it is not.

    ``model`` is a ``ModelT``. Operators' intermediate tensors (fused LSTM cells) and variables count as computed.
    """
    places = [place for number in range(len(model.subgraphs)) for place in _computed(model, number)]
    names = {place: flatbuffer.text(_tensor(model, place).name) for place in places}
    often = Counter(names.values())
    return {
        place: name if name and often[name] == 1 else f"{name}#{place[0]}.{place[1]}" for place, name in names.items()
    }


def _computed(model: Any, number: int) -> list[Place]:
    subgraph = model.subgraphs[number]
    found = dict.fromkeys(_ints(subgraph.inputs))
    for operator in subgraph.operators or ():
        found.update(dict.fromkeys(_ints(operator.outputs)))
        found.update(dict.fromkeys(_ints(operator.intermediates)))
    for index, tensor in enumerate(subgraph.tensors or ()):
        if tensor.isVariable:
            found[index] = None
    return [
        (number, index)
        for index in found
        if index >= 0 and flatbuffer.dtype_name(subgraph.tensors[index].type) == "float32"
    ]


def _ints(values: Any) -> list[int]:
    return [int(value) for value in values] if values is not None else []


def _tensor(model: Any, place: Place) -> Any:
    return model.subgraphs[place[0]].tensors[place[1]]


def translation(before: bytes, after: bytes) -> dict[str, str] | None:
    """Keys of one float .tflite → those of another with the same operators in the same order; None when they differ.

    The converter names tensors after constants too, so names change when constants do.
    """
    old, new = flatbuffer.read(before), flatbuffer.read(after)
    if _operators(old) != _operators(new):
        return None
    keys, others = list(range_keys(old).values()), list(range_keys(new).values())
    return dict(zip(keys, others, strict=True)) if len(keys) == len(others) else None


def _operators(model: Any) -> list[list[str]]:
    return [[flatbuffer.op_name(model, one) for one in sub.operators or ()] for sub in model.subgraphs]


def get_ranges(model: Any) -> dict[str, tuple[float, float]]:
    """The ranges written in the model's tensors, by key; tensors without one are left out."""
    found = {}
    for place, key in range_keys(model).items():
        parameters = _tensor(model, place).quantization
        if parameters is not None and _one(parameters.min) and _one(parameters.max):
            found[key] = (float(parameters.min[0]), float(parameters.max[0]))
    return found


def _one(values: Array | None) -> bool:
    return values is not None and len(values) == 1


def set_ranges(model: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Write ranges into the model's tensors, where ``mlir_quantize`` looks for them."""
    kind = flatbuffer.schema().QuantizationParametersT
    for place, key in range_keys(model).items():
        if key in ranges:
            tensor = _tensor(model, place)
            tensor.quantization = kind()
            tensor.quantization.min, tensor.quantization.max = ([bound] for bound in ranges[key])


def merge(ranges: Ranges, more: Mapping[str, tuple[float, float]]) -> None:
    """Widen ``ranges`` by ``more``."""
    for key, (low, high) in more.items():
        before = ranges.get(key, (low, high))
        ranges[key] = (min(before[0], low), max(before[1], high))


def with_intermediates(content: bytes) -> bytes:
    """The same model where fused LSTM cells have the tensors that hold their inner ranges; else ``content`` itself.

    Raises ToolError when this runtime cannot add them.
    """
    model = flatbuffer.read(content)
    names = {flatbuffer.op_name(model, op) for sub in model.subgraphs for op in sub.operators or ()}
    if names.isdisjoint(FUSED_CELLS):
        return content
    return bytes(calibration_wrapper().AddIntermediateTensors(content))


def hidden(content: bytes) -> bool:
    """Whether some ranges cannot be seen from outside: bodies of loops and branches, insides of fused cells."""
    model = flatbuffer.read(with_intermediates(content))
    operators = [operator for subgraph in model.subgraphs for operator in subgraph.operators or ()]
    return len(model.subgraphs) > 1 or any(_ints(operator.intermediates) for operator in operators)


def calibration_wrapper() -> Any:
    """The runtime's own calibrator, which sees inside loops and fused cells; raises ToolError where it is missing."""
    for name in (
        "ai_edge_litert._pywrap_tensorflow_lite_calibration_wrapper",
        "tensorflow.lite.python.optimize._pywrap_tensorflow_lite_calibration_wrapper",
    ):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ToolError(
        "Ranges inside loops and LSTM cells cannot be measured here.",
        why="The runtime's calibrator is in neither ai-edge-litert nor TensorFlow as installed.",
        fixes=["pip install 'ai-edge-litert>=2.1,<2.4'", "Choose --recipe dynamic-int8 or float16."],
    )
