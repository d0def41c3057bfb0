"""Which layers gain most from more than 8 bits, for what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfmobile.diagnosis.effects import Effects, damage, measure_effects
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import Progress, silent

RUNS = 1600
"""So many times the model is simulated in all: with more layers, on fewer samples."""
FEWEST, MOST = 8, 48
CHEAPEST = 0.25
"""No layer counts as cheaper than this part of the median: times near zero are noise."""


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
    ``costs`` (any unit) by layer; a layer without one costs the median. Raises UnsupportedError where the model cannot
    be simulated.
    """
    from tfmobile.quantization.backends.precision import layer_names
    from tfmobile.quantization.simulation import open_simulation

    with open_simulation(graph, quantized) as simulation:
        names = [layer.name for layer in simulation.layers]
        used = feeds[: sample_count(len(names))]
        effects = measure_effects(simulation, used, progress=progress)
    nameable = set(layer_names(floating))
    return by_gain({name: gain for name, gain in gains(effects).items() if name in nameable}, costs)


def gains(effects: Effects) -> dict[str, float]:
    """By layer: the damage that quantizing it does alone, or what leaving it float repairs, whichever is more."""
    everything = damage(effects.all_quantized)
    found = {name: damage(one) for name, one in effects.only_this.items()}
    for name, one in effects.all_but_this.items():
        found[name] = max(found.get(name, 0.0), everything - damage(one))
    return found


def by_gain(gain: Mapping[str, float], costs: Mapping[str, float]) -> tuple[str, ...]:
    """Names by falling gain per cost; those without any gain are left out. Ties in order of names."""
    known = sorted(cost for name, cost in costs.items() if name in gain)
    usual = known[len(known) // 2] if known else 1.0
    usual = usual if usual > 0 else 1.0

    def worth(name: str) -> float:
        return gain[name] / max(costs.get(name, usual), CHEAPEST * usual)

    return tuple(sorted((name for name in gain if gain[name] > 0), key=lambda name: (-worth(name), name)))
