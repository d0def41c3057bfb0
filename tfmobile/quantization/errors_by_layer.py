"""How much of every layer's output is quantization noise: the quantized model against the float one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.artifacts import LayerError
from tfmobile.graph.model import Array
from tfmobile.runtime import child, describe

SAMPLES = 8
NO_NOISE_DB = 120.0
"""Stands for no difference at all, and caps what float32 can tell apart."""


def layer_errors(
    float_model: bytes, quantized_model: bytes, feeds: Sequence[Mapping[str, Array]], *, timeout_s: float = 300.0
) -> tuple[LayerError, ...]:
    """Signal-to-noise ratio in dB of every operator output that both models have under the same name, in order.

    10·log10(Σ float² / Σ (quantized − float)²) over the first 8 feeds (arrays by input key), quantized values as real
    ones. Operators that only move between integers and floats are left out. Both models run in one child process
    without XNNPACK, which sends back the sums only; raises VerificationError when it crashes. Empty without feeds.
    """
    used = list(feeds)[:SAMPLES]
    if not used:
        return ()
    operators = {op.output: op.op for op in describe(quantized_model).ops if op.kind != "boundary"}
    sums = child.call(
        "tfmobile.quantization.layer_worker",
        {"tensors": list(operators)},
        files={"float": float_model, "quantized": quantized_model},
        arrays=used,
        timeout_s=timeout_s,
        what="Measuring the error by layer",
    ).values
    return tuple(LayerError(name, operators[name], _decibel(*sums[name])) for name in operators if name in sums)


def _decibel(signal: float, noise: float) -> float:
    if noise <= 0:
        return NO_NOISE_DB
    if signal <= 0:
        return -NO_NOISE_DB
    return float(np.clip(10 * np.log10(signal / noise), -NO_NOISE_DB, NO_NOISE_DB))
