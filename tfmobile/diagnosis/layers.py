"""How far the output of every layer is from the float model's, the real .tflite against the real float one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.diagnosis.structure import INPUT, QuantizedLayer
from tfmobile.graph.model import Array
from tfmobile.runtime import child, describe

WORKER = "tfmobile.diagnosis.layer_worker"
MOST_DB = 120.0
"""Stands for no difference at all, and caps what float32 can tell apart."""


@dataclass(frozen=True)
class LayerError:
    """The output of one layer, quantized (q) against float (f), over all samples.

    ``sqnr_db``: 10·log10(Σ f² / Σ (q − f)²). ``cosine``: between f and q. ``rmse_per_scale``: √mean (q − f)² in steps
    of the layer's grid: 0.289 (1/√12) is rounding alone; 0 where the layer is float. ``clipped``: the fraction of float
    values outside the grid, ``clipped_share`` their part of the squared error. ``shift_share``: the part of the squared
    error that is one constant a channel, which a bias could take away.
    """

    sqnr_db: float
    cosine: float
    rmse_per_scale: float
    clipped: float = 0.0
    clipped_share: float = 0.0
    shift_share: float = 0.0


def compare_layers(
    floating: bytes,
    quantized: bytes,
    layers: Sequence[QuantizedLayer],
    feeds: Iterable[Mapping[str, Array]],
    *,
    timeout_s: float = 600.0,
) -> dict[str, LayerError]:
    """Layer name → its error, for the layers whose output both models have. ``feeds``: arrays by input key, batch 1.

    Both models run in one child process, without XNNPACK, which cannot show what is inside; the sums alone come back.
    Raises VerificationError when a model crashes the runtime, DataError when a sample does not fit.
    """
    keys = dict(zip((layer.name for layer in _inputs(layers)), _input_keys(floating), strict=True))
    inputs = [
        (keys[layer.name], *layer.grid.range, layer.grid.scale, layer.grid.zero_point, layer.grid.dtype)
        for layer in _inputs(layers)
        if layer.grid.scale
    ]
    tensors = [
        (layer.tensor, layer.quantized_tensor, *layer.grid.range, layer.grid.scale)
        for layer in layers
        if layer.op != INPUT
    ]
    answer = child.call(
        WORKER,
        {"tensors": tensors, "inputs": inputs},
        files={"float": floating, "quantized": quantized},
        arrays=feeds,
        timeout_s=timeout_s,
        what="Comparing the layers",
    ).values
    found = {}
    for layer in layers:
        sums = answer["inputs"].get(keys[layer.name]) if layer.op == INPUT else answer["tensors"].get(layer.tensor)
        if sums is not None:
            found[layer.name] = layer_error(sums, layer.grid.scale)
    return found


def layer_error(sums: Mapping[str, float], scale: float) -> LayerError:
    """From what the child added up."""
    count, signal, noise = sums["count"], sums["ff"], sums["ee"]
    norm = math.sqrt(signal * sums["qq"])
    return LayerError(
        sqnr_db=decibel(signal, noise),
        cosine=sums["fq"] / norm if norm else float(signal == sums["qq"]),
        rmse_per_scale=math.sqrt(noise / count) / scale if scale else 0.0,
        clipped=sums["clipped"] / count,
        clipped_share=sums["clipped_ee"] / noise if noise else 0.0,
        shift_share=min(sums["shift_ee"] / noise, 1.0) if noise else 0.0,
    )


def decibel(signal: float, noise: float) -> float:
    """10·log10(signal / noise), between −120 and 120."""
    if noise <= 0:
        return MOST_DB
    if signal <= 0:
        return -MOST_DB
    return float(np.clip(10 * np.log10(signal / noise), -MOST_DB, MOST_DB))


def _inputs(layers: Sequence[QuantizedLayer]) -> list[QuantizedLayer]:
    return [layer for layer in layers if layer.op == INPUT]


def _input_keys(floating: bytes) -> list[str]:
    return [fact.name for fact in describe(floating).inputs]
