"""How much of every layer's output is quantization noise: the quantized model against the float one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.artifacts import LayerError
from tfmobile.graph.model import Array
from tfmobile.runtime import describe, run

SAMPLES = 8
NO_NOISE_DB = 120.0
"""Stands for no difference at all, and caps what float32 can tell apart."""


def layer_errors(
    float_model: bytes, quantized_model: bytes, feeds: Sequence[Mapping[str, Array]]
) -> tuple[LayerError, ...]:
    """Signal-to-noise ratio in dB of every operator output that both models have under the same name, in order.

    10·log10(Σ float² / Σ (quantized − float)²) over the first 8 feeds (arrays by input key), quantized values as real
    ones. Operators that only move between integers and floats are left out. Both models run in a child process without
    XNNPACK; raises VerificationError when one crashes. Empty without feeds.
    """
    used = list(feeds)[:SAMPLES]
    if not used:
        return ()
    operators = {op.output: op.op for op in describe(quantized_model).ops if op.kind != "boundary"}
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for feed in used:
        # One sample at a time: all tensors of a large model for all samples would not fit into memory.
        ours, theirs = (run(model, [feed], tensors=True)[0] for model in (float_model, quantized_model))
        for name in theirs:
            if name in operators and name in ours and _comparable(ours[name], theirs[name]):
                real = ours[name].astype(np.float64)
                signal[name] = signal.get(name, 0.0) + float(np.square(real).sum())
                noise[name] = noise.get(name, 0.0) + float(np.square(theirs[name] - real).sum())
    return tuple(LayerError(name, operators[name], _decibel(signal[name], noise[name])) for name in signal)


def _comparable(ours: Array, theirs: Array) -> bool:
    return ours.shape == theirs.shape and ours.dtype.kind == "f" and theirs.dtype.kind == "f" and ours.size > 0


def _decibel(signal: float, noise: float) -> float:
    if noise <= 0:
        return NO_NOISE_DB
    if signal <= 0:
        return -NO_NOISE_DB
    return float(np.clip(10 * np.log10(signal / noise), -NO_NOISE_DB, NO_NOISE_DB))
