"""How the model answers when only one layer is quantized, and when all but one are: by the integer simulation."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
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
    """``all_quantized``: the whole model but its ``outlets``, on the samples that the others were measured on too.

    Outlets are the softmaxes that give the answer. Theirs is a grid of 256 fixed steps, which cuts off all small
    probabilities: that would hide what the layers before do, so it is switched off where others are measured.
    ``ties``: the fraction of samples whose two best answers are equal when only the outlets are quantized.
    """

    all_quantized: Fidelity
    only_this: Mapping[str, Fidelity]
    all_but_this: Mapping[str, Fidelity]
    outlets: tuple[str, ...] = ()
    ties: float = 0.0


def measure_effects(
    simulation: Switches,
    feeds: Sequence[Mapping[str, Array]],
    *,
    moves: Mapping[str, str] | None = None,
    outlets: Collection[str] = (),
    progress: Progress = silent,
) -> Effects:
    """Each layer quantized alone; those that harm most also left float alone.

    ``feeds``: arrays by input key, batch 1. ``moves``: layer that only moves values → the one whose values they are,
    with which it is switched. A layer that the simulation cannot compute in float has no entry.
    """
    work = _Switching(simulation, feeds, moves or {}, outlets)
    total = len(work.names) + len(work.outlets) + min(len(work.names), SUSPECTS)
    done = itertools.count()
    only, but = {}, {}
    everything = fidelity(work.wanted, work.answers(work.outlets))
    for name in work.names:
        progress(STAGE, next(done), total)
        only[name] = fidelity(work.wanted, work.answers(work.all_but(name)))
    for name in sorted(work.names, key=lambda name: -damage(only[name]))[:SUSPECTS]:
        progress(STAGE, next(done), total)
        but[name] = fidelity(work.wanted, work.answers((*work.group(name), *work.outlets)))
    ties = 0.0
    for name in work.outlets:
        progress(STAGE, next(done), total)
        rows = work.answers(work.all_but(name))
        only[name], but[name], ties = fidelity(work.wanted, rows), everything, max(ties, tied(rows))
    progress(STAGE, total, total)
    return Effects(everything, only, but, work.outlets, ties)


class _Switching:
    """The simulation with its samples: ``wanted`` are the float answers."""

    def __init__(
        self,
        simulation: Switches,
        feeds: Sequence[Mapping[str, Array]],
        moves: Mapping[str, str],
        outlets: Collection[str],
    ) -> None:
        self._simulation = simulation
        self._batches = list(_batches(feeds, BATCH if simulation.batch else 1))
        self._switchable = [layer.name for layer in simulation.layers if layer.switchable]
        self._heads = {name: moves.get(name, name) for name in self._switchable}
        self.outlets = tuple(name for name in self._switchable if name in outlets)
        self.names = [name for name in self._switchable if self._heads[name] == name and name not in self.outlets]
        self.wanted = [row for batch in self._batches for row in _rows(simulation.float_outputs(batch))]

    def group(self, name: str) -> list[str]:
        """The layer and those that move its values."""
        return [other for other in self._switchable if self._heads[other] == name]

    def all_but(self, name: str) -> list[str]:
        return [other for other in self._switchable if self._heads[other] != name]

    def answers(self, floating: Collection[str]) -> list[dict[str, Array]]:
        """One mapping a sample, with these layers in float."""
        found = (self._simulation.outputs(batch, floating=floating) for batch in self._batches)
        return [row for outputs in found for row in _rows(outputs)]


def tied(outputs: Sequence[Mapping[str, Array]]) -> float:
    """The fraction of answers whose two largest values are equal, over outputs with at least two."""
    rows = [np.asarray(values).reshape(-1, np.shape(values)[-1]) for one in outputs for values in one.values()]
    best = [np.sort(row, axis=1)[:, -2:] for row in rows if row.shape[1] >= 2]
    return float(np.mean(np.concatenate([pair[:, 0] == pair[:, 1] for pair in best]))) if best else 0.0


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
