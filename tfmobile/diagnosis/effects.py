"""How the model answers when only one layer is quantized, and when all but one are: by the integer simulation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tfmobile.artifacts import Fidelity
from tfmobile.graph.model import Array
from tfmobile.progress import Progress, silent
from tfmobile.quantization.fidelity import fidelity

STAGE = "effects"
BATCH = 16
SUSPECTS = 10
"""So many layers are also left float while all others are quantized; of the rest, quantizing them alone says enough."""


class Simulated(Protocol):
    """What is asked of a simulated layer."""

    @property
    def name(self) -> str: ...

    @property
    def switchable(self) -> bool: ...


class Switches(Protocol):
    """The part of the integer simulation that is used here."""

    @property
    def layers(self) -> Sequence[Simulated]: ...

    @property
    def batch(self) -> bool: ...

    def outputs(self, feeds: Mapping[str, Array], *, floating: Collection[str] = ()) -> dict[str, Array]: ...

    def float_outputs(self, feeds: Mapping[str, Array]) -> dict[str, Array]: ...


@dataclass(frozen=True)
class Effects:
    """``all_quantized``: the whole model, on the samples that the others were measured on too."""

    all_quantized: Fidelity
    only_this: Mapping[str, Fidelity]
    all_but_this: Mapping[str, Fidelity]


def measure_effects(
    simulation: Switches,
    feeds: Sequence[Mapping[str, Array]],
    *,
    moves: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Effects:
    """Each layer quantized alone; those that harm most also left float alone.

    ``feeds``: arrays by input key, batch 1. ``moves``: layer that only moves values → the one whose values they are,
    with which it is switched. A layer that the simulation cannot compute in float has no entry.
    """
    switchable = [layer.name for layer in simulation.layers if layer.switchable]
    head = {name: (moves or {}).get(name, name) for name in switchable}
    names = [name for name in switchable if head[name] == name]
    batches = list(_batches(feeds, BATCH if simulation.batch else 1))
    wanted = [row for batch in batches for row in _rows(simulation.float_outputs(batch))]
    total = len(names) + min(len(names), SUSPECTS)

    def measured(floating: Iterable[str], done: int) -> Fidelity:
        progress(STAGE, done, total)
        left = tuple(floating)
        rows = [row for batch in batches for row in _rows(simulation.outputs(batch, floating=left))]
        return fidelity(wanted, rows)

    everything = measured((), 0)
    only = {
        name: measured((other for other in switchable if head[other] != name), done)
        for done, name in enumerate(names, 1)
    }
    worst = sorted(names, key=lambda name: (-damage(only[name]), names.index(name)))
    but = {
        name: measured((other for other in switchable if head[other] == name), len(names) + done)
        for done, name in enumerate(worst[:SUSPECTS], 1)
    }
    progress(STAGE, total, total)
    return Effects(everything, only, but)


def damage(found: Fidelity) -> float:
    """One number, 0 for the float answers: divergence in nats, else noise to signal."""
    if found.kl is not None:
        return found.kl
    return float(min(10 ** (-found.sqnr_db / 10), 10.0))


def _batches(feeds: Sequence[Mapping[str, Array]], size: int) -> Iterator[dict[str, Array]]:
    for start in range(0, len(feeds), size):
        part = feeds[start : start + size]
        yield {key: np.concatenate([feed[key] for feed in part]) for key in part[0]}


def _rows(outputs: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """One mapping a sample, of a batch along the first axis."""
    count = min((len(values) for values in outputs.values()), default=0)
    for index in range(count):
        yield {key: values[index : index + 1] for key, values in outputs.items()}
