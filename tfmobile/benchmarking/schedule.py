"""Who runs when: one child at a time, in short blocks, the order drawn anew for every round."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tfmobile.benchmarking.intervals import half_width, median_interval
from tfmobile.benchmarking.setting import Measured
from tfmobile.errors import TfmobileError
from tfmobile.progress import Progress

NARROW = 0.02
"""Relative half-width of the median's interval at which a setting is measured well enough."""

BLOCK_MS = 50.0
MOST_RUNS_A_BLOCK = 500
FEWEST_ROUNDS, ROUNDS_TO_CONVERGE, ROUNDS_AIMED_AT = 2, 10, 40
STAGE = "benchmark"


class Runner(Protocol):
    """What runs a model: a child of its own, or a child that loads it for its turn."""

    def request(self, do: str, more_s: float = 0.0, **fields: Any) -> dict[str, Any]: ...


@dataclass
class Contender:
    """What runs one model, with what it measured so far."""

    process: Runner
    measured: Measured
    runs_a_block: int = 1
    rewarm: int = 0
    more_s: float = 0.0
    error: TfmobileError | None = None

    def run(self, count: int, warmup: int = 0) -> list[float]:
        """Times in ms of ``count`` runs; memory and warm-up runs are noted."""
        answer = self.process.request("run", self.more_s, count=count, warmup=warmup)
        memory = answer["memory"]
        self.measured.warmup_runs += warmup
        self.measured.peak_bytes, self.measured.baseline_bytes = memory["peak"], memory["baseline"]
        times: list[float] = answer["times_ms"]
        return times

    def warm_up(self, runs: int, block_ms: float) -> None:
        """``runs`` runs that do not count (fewer when they are long), and from them the size of a block."""
        first = self.run(1)[0]
        more = max(min(runs - 1, int(40 * block_ms / max(first, 1e-3))), 0)
        usual = min([first, *(self.run(more) if more else [])])
        self.measured.warmup_runs += 1 + more
        self.runs_a_block = max(1, min(round(block_ms / max(usual, 1e-3)), MOST_RUNS_A_BLOCK))
        # Other children used the caches since the last block: let the first run of a block of many not count.
        self.rewarm = 1 if self.runs_a_block > 4 else 0
        self.more_s = 20 * usual * self.runs_a_block / 1000

    def run_block(self) -> None:
        """One more block of timed runs."""
        self.measured.blocks.append(self.run(self.runs_a_block, self.rewarm))


def race(
    contenders: Sequence[Contender],
    *,
    warmup: int,
    time_budget_s: float,
    seed: int,
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run blocks in turn until every median is certain or the time is over. A contender that fails is left out.

    In every round each contender runs one block, in an order drawn anew: slow drift of the machine meets all alike,
    and no one always runs after the same other.
    """
    order = list(contenders)
    shuffle = random.Random(seed).shuffle
    block_ms = max(min(BLOCK_MS, 1000 * time_budget_s / max(len(order), 1) / ROUNDS_AIMED_AT), 1.0)
    for one in order:
        _guarded(one, lambda one: one.warm_up(warmup, block_ms))
    start, rounds = clock(), 0
    while order := [one for one in order if one.error is None]:
        spent = clock() - start
        progress(STAGE, min(int(spent), int(time_budget_s)), max(int(time_budget_s), 1))
        if rounds >= FEWEST_ROUNDS and spent >= time_budget_s:
            break
        if rounds >= ROUNDS_TO_CONVERGE and rounds % 5 == 0 and all(converged(one.measured) for one in order):
            break
        shuffle(order)
        for one in order:
            _guarded(one, Contender.run_block)
        rounds += 1
    progress(STAGE, max(int(time_budget_s), 1), max(int(time_budget_s), 1))


def _guarded(one: Contender, work: Callable[[Contender], None]) -> None:
    try:
        work(one)
    except TfmobileError as error:
        one.error = error


def converged(measured: Measured) -> bool:
    """Whether the median's 95 % interval is narrow: ± 2 % of it."""
    enough = len(measured.blocks) >= ROUNDS_TO_CONVERGE
    return enough and half_width(median_interval(measured.blocks)) < NARROW
