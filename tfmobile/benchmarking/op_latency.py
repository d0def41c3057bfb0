"""The time of every operator of a .tflite on this machine.

The runtime's Python interface has no profiler, and where XNNPACK takes operators over, a profiler would see them as
one. So every operator is cut out, with its weights and its quantization, and timed alone, interleaved with all others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from tfmobile.artifacts import Interval, OpFact, OpLatencies, OpLatency
from tfmobile.benchmarking.intervals import median_interval
from tfmobile.benchmarking.schedule import converged
from tfmobile.benchmarking.setting import Measured
from tfmobile.benchmarking.shared_child import Timed, time_models
from tfmobile.errors import UnsupportedError, UsageError, VerificationError
from tfmobile.progress import Progress, silent
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.arithmetic import classify
from tfmobile.runtime.operator_names import layer_of
from tfmobile.runtime.single_op import cut, idle, restores

IDLE = "idle"


def op_latencies(
    models: Mapping[str, bytes],
    *,
    threads: int = 1,
    xnnpack: bool = True,
    budget_s: float = 20.0,
    progress: Progress = silent,
) -> OpLatencies:
    """Median time of every operator of the models (by name), and of each model as a whole, in microseconds.

    ``budget_s`` seconds are for the timed rounds of all models together; loading each operator comes on top. What is
    restored once when the model is loaded (float16 weights) belongs to the operator that reads it. Operators that do
    not run alone are left out with a note. Raises UsageError without models, VerificationError when nothing runs.
    """
    if not models:
        raise UsageError("There is nothing to time.", fixes=["Name a model."])
    start = time.monotonic()
    facts, pieces, notes = _pieces(models)
    wholes = {f"whole {name}": content for name, content in models.items()}
    timed = time_models(
        {IDLE: idle(), **wholes, **pieces}, threads=threads, xnnpack=xnnpack, budget_s=budget_s, progress=progress
    )
    overhead = overhead_us(timed)
    return OpLatencies(
        host=timed.host,
        threads=threads,
        xnnpack=xnnpack,
        method=method(threads, xnnpack, overhead),
        ops=tuple(
            _latency(model, fact, timed.measured[key], overhead)
            for key, (model, fact) in facts.items()
            if key in timed.measured
        ),
        whole_us={
            name: microseconds(timed.measured[f"whole {name}"], overhead)
            for name in models
            if f"whole {name}" in timed.measured
        },
        overhead_us=overhead,
        seconds=time.monotonic() - start,
        notes=(*notes, *(f"Not timed: {_called(key, facts)}: {error.why}" for key, error in timed.failed.items())),
    )


def method(threads: int, xnnpack: bool, overhead: float) -> str:
    """How operators are timed, in one sentence."""
    setting = f"{threads} thread{'' if threads == 1 else 's'}, XNNPACK {'on' if xnnpack else 'off'}"
    return (
        "Each operator was cut out of the file and timed alone on random inputs, in blocks interleaved with all others "
        f"({setting}); {overhead:.1f} µs that any call takes are taken off."
    )


def overhead_us(timed: Timed) -> float:
    """What a run of a model that does next to nothing takes. Raises VerificationError when not even that runs."""
    if IDLE not in timed.measured:
        error = timed.failed[IDLE]
        raise VerificationError("No operator can be timed here.", why=f"{error.what} {error.why}", fixes=error.fixes)
    return 1000 * median_interval(timed.measured[IDLE].blocks).value


def microseconds(measured: Measured, overhead: float) -> Interval:
    """The median with its interval, without the overhead, and not below 0."""
    found = median_interval(measured.blocks)
    value, low, high = (max(1000 * time_ms - overhead, 0.0) for time_ms in (found.value, found.low, found.high))
    return Interval(value, low, high)


def _pieces(models: Mapping[str, bytes]) -> tuple[dict[str, tuple[str, OpFact]], dict[str, bytes], list[str]]:
    """Model and operator by key, its .tflite by key, and notes on those that cannot be cut out."""
    facts: dict[str, tuple[str, OpFact]] = {}
    pieces: dict[str, bytes] = {}
    notes = []
    for name, content in models.items():
        model = flatbuffer.read(content)
        for fact in _computing(model):
            try:
                piece = cut(model, fact.index)
            except UnsupportedError as error:
                notes.append(f"Not timed: {fact.op} '{layer_of(fact.output)}' of {name}: {error.why}")
                continue
            key = f"{name} {fact.index}"
            facts[key], pieces[key] = (name, fact), piece
    return facts, pieces, notes


def _computing(model: Any) -> Iterator[OpFact]:
    for fact in classify(model):
        if not restores(model, model.subgraphs[0].operators[fact.index]):
            yield fact


def _latency(model: str, fact: OpFact, measured: Measured, overhead: float) -> OpLatency:
    return OpLatency(
        model=model,
        index=fact.index,
        op=fact.op,
        layer=layer_of(fact.output),
        kind=fact.kind,
        us=microseconds(measured, overhead),
        runs=len(measured.times_ms),
        converged=converged(measured),
    )


def _called(key: str, facts: Mapping[str, tuple[str, OpFact]]) -> str:
    if key not in facts:
        return f"'{key}'"
    model, fact = facts[key]
    return f"{fact.op} '{layer_of(fact.output)}' of {model}"
