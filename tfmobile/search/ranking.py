"""Which layers gain most from more than 8 bits, for what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tfmobile.artifacts import FloatCosts, LayerError
from tfmobile.diagnosis.effects import Effects, damage, measure_effects
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import Progress, silent

RUNS = 1600
"""So many times the model is simulated in all: with more layers, on fewer samples."""
FEWEST, MOST = 8, 48
NOTICEABLE = 0.02
"""Costs far below this part of the whole model do not matter: then gain alone decides."""


def sample_count(layers: int) -> int:
    """On how many samples the effects of so many layers are measured."""
    return max(FEWEST, min(MOST, RUNS // max(layers, 1)))


def rank_layers(
    graph: Graph,
    floating: bytes,
    quantized: bytes,
    feeds: Sequence[Mapping[str, Array]],
    costs: Mapping[str, float],
    progress: Progress = silent,
) -> tuple[str, ...]:
    """Names of layers by falling gain per cost, by the integer simulation of ``quantized``.

    ``graph`` became ``floating`` (a float .tflite), and that became ``quantized``. Only layers that can be named count.
    ``costs`` by layer, as parts of the whole model's; one without costs nothing. Raises UnsupportedError where the
    model cannot be simulated.
    """
    from tfmobile.quantization.backends.precision import layer_names
    from tfmobile.quantization.simulation import open_simulation

    with open_simulation(graph, quantized) as simulation:
        names = [layer.name for layer in simulation.layers]
        used = feeds[: sample_count(len(names))]
        effects = measure_effects(simulation, used, progress=progress)
    nameable = set(layer_names(floating))
    return by_gain({name: gain for name, gain in gains(effects).items() if name in nameable}, costs)


def rank_by_errors(floating: bytes, errors: Sequence[LayerError], costs: Mapping[str, float]) -> tuple[str, ...]:
    """Names of layers by the noise that each adds to that of the one before, per cost; for want of a simulation."""
    from tfmobile.quantization.backends.precision import layer_names

    noise = [10 ** (-one.snr_db / 10) if math.isfinite(one.snr_db) else 0.0 for one in errors]
    added = [max(0.0, one - before) for one, before in zip(noise, [0.0, *noise], strict=False)]
    nameable = set(layer_names(floating))
    names = [one.name.partition(";")[0] for one in errors]
    return by_gain({name: gain for name, gain in zip(names, added, strict=True) if name in nameable}, costs)


def gains(effects: Effects) -> dict[str, float]:
    """By layer: the damage that quantizing it does alone, or what leaving it float repairs, whichever is more."""
    everything = damage(effects.all_quantized)
    found = {name: damage(one) for name, one in effects.only_this.items()}
    for name, one in effects.all_but_this.items():
        found[name] = max(found.get(name, 0.0), everything - damage(one))
    return found


def by_gain(gain: Mapping[str, float], costs: Mapping[str, float]) -> tuple[str, ...]:
    """Names by falling gain per cost; those without any gain are left out. Ties in order of names."""

    def worth(name: str) -> float:
        return gain[name] / (max(costs.get(name, 0.0), 0.0) + NOTICEABLE)

    return tuple(sorted((name for name in gain if gain[name] > 0), key=lambda name: (-worth(name), name)))


def more_bytes(floating: bytes) -> dict[str, float]:
    """By layer, what float16 weights take more than int8 ones, as a part of all int8 weights."""
    from tfmobile.runtime import describe
    from tfmobile.runtime.operator_names import layer_of

    ops = describe(floating).ops
    total = sum(op.weight_bytes for op in ops) or 1
    return {layer_of(op.output): op.weight_bytes / total for op in ops}


def more_time(costs: FloatCosts) -> dict[str, float]:
    """By layer, what it takes longer in float, as a part of the time of all layers in int8."""
    total = sum(cost.int8_us for cost in costs.layers.values()) or 1.0
    return {name: cost.us / total for name, cost in costs.layers.items()}
