"""What it costs that a layer of an int8 model computes in float, measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmobile.artifacts import FloatCost, FloatCosts, OpFact
from tfmobile.benchmarking.op_latency import IDLE, method, microseconds, overhead_us
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
    if layer not in found.layers:
        raise VerificationError(
            f"The layer '{layer}' cannot be timed alone.",
            why=" ".join(found.notes),
            fixes=["Time the whole models instead: tfmobile benchmark"],
        )
    return found.layers[layer].us


def float_costs(
    float_model: bytes,
    int8_model: bytes,
    *,
    layers: Sequence[str] = (),
    threads: int = 1,
    xnnpack: bool = True,
    budget_s: float = 20.0,
    progress: Progress = silent,
) -> FloatCosts:
    """The cost of each of ``layers`` (default: all that both models have), timed together.

    Borders of equal shape are timed once. ``budget_s`` seconds are for the timed rounds; loading comes on top. Raises
    UnknownNameError for a layer that is not in both models, VerificationError when nothing can be timed here.
    """
    pairs = _pairs(float_model, int8_model)
    for layer in layers:
        if layer not in pairs:
            raise unknown("layer", layer, pairs)
    wanted = {layer: pair for layer, pair in pairs.items() if not layers or layer in layers}
    plans, pieces, notes = _plans(float_model, int8_model, wanted)
    timed = time_models(pieces, threads=threads, xnnpack=xnnpack, budget_s=budget_s, progress=progress)
    overhead = overhead_us(timed)
    us = {key: microseconds(measured, overhead).value for key, measured in timed.measured.items()}
    found = {}
    for layer, plan in plans.items():
        failed = [timed.failed[key] for key in (plan.floating, plan.integer, *plan.borders) if key in timed.failed]
        if failed:
            notes.append(f"Not timed: '{layer}': {failed[0].why}")
            continue
        borders = sum(us[key] for key in plan.borders)
        found[layer] = FloatCost(layer, us[plan.floating], us[plan.integer], borders)
    return FloatCosts(found, method(threads, xnnpack, overhead), tuple(notes))


@dataclass(frozen=True)
class _Plan:
    """The names of what is timed for a layer."""

    floating: str
    integer: str
    borders: tuple[str, ...]


def _plans(
    float_model: bytes, int8_model: bytes, wanted: Mapping[str, tuple[OpFact, OpFact]]
) -> tuple[dict[str, _Plan], dict[str, bytes], list[str]]:
    """What to time for each layer, the models for that by name, and notes on layers that do not run alone."""
    floating, integer = flatbuffer.read(float_model), flatbuffer.read(int8_model)
    plans: dict[str, _Plan] = {}
    pieces, notes = {IDLE: idle()}, []
    for layer, (one, two) in wanted.items():
        plan = _Plan(f"float {layer}", f"int8 {layer}", tuple(found.key for found in _borders(integer, two)))
        try:
            own = {plan.floating: cut(floating, one.index), plan.integer: cut(integer, two.index)}
        except UnsupportedError as error:
            notes.append(f"Not timed: '{layer}': {error.why}")
            continue
        for found in _borders(integer, two):
            pieces.setdefault(found.key, border(integer, found.tensor, found.kind))
        pieces.update(own)
        plans[layer] = plan
    return plans, pieces, notes


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
