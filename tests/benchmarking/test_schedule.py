"""Who runs when, with children that only pretend."""

from __future__ import annotations

from typing import Any

from tfmobile.benchmarking.runner_process import RunnerProcess
from tfmobile.benchmarking.schedule import MOST_RUNS_A_BLOCK, Contender, race
from tfmobile.benchmarking.setting import Measured, Setting
from tfmobile.errors import VerificationError
from tfmobile.progress import silent


class Pretended(RunnerProcess):
    """Answers with a fixed time; moves the shared clock and writes the shared log."""

    def __init__(self, name: str, ms: float, clock: list[float], log: list[str], fails_after: int = 10**9) -> None:
        self.setting = Setting(name, "tflite", 1, True)
        self.ms, self.clock, self.log, self.left = ms, clock, log, fails_after

    def request(self, do: str, more_s: float = 0.0, **fields: Any) -> dict[str, Any]:
        self.left -= 1
        if self.left < 0:
            raise VerificationError(f"{self.setting} crashed.", fixes=["Convert it again."])
        self.log.append(self.setting.name)
        runs = fields["count"] + fields["warmup"]
        self.clock[0] += runs * self.ms / 1000
        jitter = 1 + 0.5 * (len(self.log) % 7) * (self.ms == 7)
        return {"times_ms": [self.ms * jitter] * fields["count"], "memory": {"peak": 5, "baseline": 3}}


def contender(name: str, ms: float, clock: list[float], log: list[str], fails_after: int = 10**9) -> Contender:
    process = Pretended(name, ms, clock, log, fails_after)
    return Contender(process, Measured(process.setting, 1.0))


def start(*contenders: Contender, clock: list[float], budget: float = 20.0, seed: int = 0) -> None:
    race(contenders, warmup=5, time_budget_s=budget, seed=seed, progress=silent, clock=lambda: clock[0])


def test_every_round_has_each_once_in_changing_order() -> None:
    clock, log = [0.0], []
    names = ["a", "b", "c"]
    start(*(contender(name, 10, clock, log) for name in names), clock=clock)
    body = log[-3 * (len(log) // 3) :][6:]
    rounds = [tuple(body[index : index + 3]) for index in range(0, len(body), 3)]
    assert all(sorted(one) == names for one in rounds)
    assert len(set(rounds)) > 2


def test_it_ends_when_all_medians_are_certain() -> None:
    clock, log = [0.0], []
    one = contender("a", 10, clock, log)
    start(one, clock=clock)
    assert clock[0] < 2
    assert len(one.measured.blocks) == 10


def test_it_ends_with_the_time_budget() -> None:
    clock, log = [0.0], []
    one, two = contender("a", 7, clock, log), contender("b", 10, clock, log)
    start(one, two, clock=clock, budget=3.0)
    assert 3.0 <= clock[0] < 3.6
    assert len(one.measured.blocks) == len(two.measured.blocks) > 10


def test_blocks_hold_many_short_runs_and_one_long_run() -> None:
    clock, log = [0.0], []
    fast, slow, tiny = (contender(str(ms), ms, clock, log) for ms in (1.0, 900.0, 0.001))
    start(fast, slow, tiny, clock=clock)
    assert (fast.runs_a_block, fast.rewarm) == (50, 1)
    assert (slow.runs_a_block, slow.rewarm) == (1, 0)
    assert tiny.runs_a_block == MOST_RUNS_A_BLOCK
    assert fast.measured.warmup_runs >= 5
    assert slow.measured.warmup_runs < 5


def test_one_that_crashes_is_left_out_and_the_others_go_on() -> None:
    clock, log = [0.0], []
    good, bad = contender("good", 10, clock, log), contender("bad", 10, clock, log, fails_after=4)
    start(good, bad, clock=clock)
    assert isinstance(bad.error, VerificationError)
    assert good.error is None
    assert len(good.measured.blocks) >= 10


def test_the_order_is_the_same_for_the_same_seed() -> None:
    logs = []
    for _ in range(2):
        clock: list[float] = [0.0]
        log: list[str] = []
        start(*(contender(name, 10, clock, log) for name in "abcd"), clock=clock, seed=3)
        logs.append(log)
    assert logs[0] == logs[1]
