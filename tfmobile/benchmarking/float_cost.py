"""What it costs that a layer of an int8 model computes in float, measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmobile.artifacts import FloatCost, OpFact
from tfmobile.benchmarking.op_latency import IDLE, microseconds, overhead_us
from tfmobile.benchmarking.shared_child import time_models
from tfmobile.errors import UnsupportedError, VerificationError
from tfmobile.progress import Progress, silent
from tfmobile.registry import unknown
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.operator_names import layer_of, operators_by_tensor
from tfmobile.runtime.single_op import border, cut, idle

INTEGERS = ("int8", "uint8", "int16")


def float_cost(
    float_model: bytes, int8_model: bytes, layer: str, *, threads: int = 1, xnnpack: bool = True, budget_s: float = 2.0
) -> float:
    """Microseconds that ``layer`` takes longer in float than in int8, with its borders; negative where it is faster.

    Raises UnknownNameError for a layer that is not in both models, VerificationError when it cannot be timed.
    """
    found = float_costs(float_model, int8_model, layers=(layer,), threads=threads, xnnpack=xnnpack, budget_s=budget_s)
    if layer not in found:
        raise VerificationError(
            f"The layer '{layer}' cannot be timed alone.",
            why="It does not run outside of its model.",
            fixes=["Time the whole models instead: tfmobile benchmark"],
        )
    return found[layer].us


def float_costs(
    float_model: bytes,
    int8_model: bytes,
    *,
    layers: Sequence[str] = (),
    threads: int = 1,
    xnnpack: bool = True,
    budget_s: float = 20.0,
    progress: Progress = silent,
) -> dict[str, FloatCost]:
    """The cost of each of ``layers`` (default: all that both models have), timed together, in execution order.

    Borders of equal shape are timed once. Layers that do not run alone are left out. ``budget_s`` seconds are for the
    timed rounds; loading comes on top. Raises UnknownNameError for a layer that is not in both models.
    """
    pairs = _pairs(float_model, int8_model)
    for layer in layers:
        if layer not in pairs:
            raise unknown("layer", layer, pairs)
    floating, integer = flatbuffer.read(float_model), flatbuffer.read(int8_model)
    plans = {}
    pieces: dict[str, bytes] = {IDLE: idle()}
    for layer, (one, two) in pairs.items():
        if layers and layer not in layers:
            continue
        try:
            own = {f"float {layer}": cut(floating, one.index), f"int8 {layer}": cut(integer, two.index)}
        except UnsupportedError:
            continue
        borders = _borders(integer, two)
        pieces.update(own)
        pieces.update({one.key: border(integer, one.tensor, one.kind) for one in borders if one.key not in pieces})
        plans[layer] = (f"float {layer}", f"int8 {layer}", [one.key for one in borders])
    timed = time_models(pieces, threads=threads, xnnpack=xnnpack, budget_s=budget_s, progress=progress)
    overhead = overhead_us(timed)
    us = {key: microseconds(measured, overhead).value for key, measured in timed.measured.items()}
    return {
        layer: FloatCost(layer, us[one], us[two], sum(us[key] for key in keys))
        for layer, (one, two, keys) in plans.items()
        if us.keys() >= {one, two, *keys}
    }


@dataclass(frozen=True)
class _Border:
    kind: str
    tensor: int
    key: str


def _pairs(float_model: bytes, int8_model: bytes) -> dict[str, tuple[OpFact, OpFact]]:
    """The operators of both models by layer, in the order of the float one."""
    integer = {layer_of(name): fact for name, fact in operators_by_tensor(int8_model).items()}
    floating = {layer_of(name): fact for name, fact in operators_by_tensor(float_model).items()}
    return {layer: (fact, integer[layer]) for layer, fact in floating.items() if layer in integer}


def _borders(model: Any, fact: OpFact) -> list[_Border]:
    """What stands around the operator when it computes in float."""
    main = model.subgraphs[0]
    operator = main.operators[fact.index]
    found = []
    for kind, side in (("DEQUANTIZE", operator.inputs), ("QUANTIZE", operator.outputs)):
        for index in dict.fromkeys(int(one) for one in side if one >= 0):
            tensor = main.tensors[index]
            dtype = flatbuffer.dtype_name(tensor.type)
            scales = flatbuffer.sequence(getattr(tensor.quantization, "scale", None))
            if dtype in INTEGERS and scales and not flatbuffer.tensor_bytes(model, tensor):
                shape = "x".join(str(int(size)) for size in flatbuffer.sequence(tensor.shape))
                found.append(_Border(kind, index, f"{kind} {dtype} {shape}"))
    return found
