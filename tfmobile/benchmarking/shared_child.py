"""Many small models timed in one child, which loads each for its turn: a child for each would take minutes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfmobile.benchmarking import inputs
from tfmobile.benchmarking.runner_process import RunnerProcess
from tfmobile.benchmarking.schedule import Contender, race
from tfmobile.benchmarking.setting import TFLITE, Measured, Setting
from tfmobile.errors import TfmobileError
from tfmobile.progress import Progress, silent
from tfmobile.runtime import child

WARM_AFTER_LOADING = 2
"""Runs that do not count when a model comes back: its memory is new, and the first run of a kernel prepares it."""

SAMPLES = 2
SEED = 0


@dataclass(frozen=True)
class Timed:
    """What ``time_models`` found, by the names it was given: measurements, or why there is none."""

    host: Mapping[str, str]
    measured: Mapping[str, Measured]
    failed: Mapping[str, TfmobileError]


def time_models(
    models: Mapping[str, bytes],
    *,
    threads: int,
    xnnpack: bool,
    budget_s: float,
    warmup: int = 3,
    timeout_s: float = 60.0,
    progress: Progress = silent,
) -> Timed:
    """Time all models interleaved, in short blocks, on random inputs; equal ones are timed once.

    Stops when every median is certain, or after ``budget_s`` seconds; loading every model once and the first two
    rounds come on top. A model that fails is left out, and does not stop the others.
    """
    with child.temporary_folder() as folder, SharedChild(folder, threads, xnnpack, timeout_s) as shared:
        turns: dict[bytes, Contender] = {}
        for name, content in models.items():
            if content not in turns:
                turn = _Turn(shared, folder / f"model{len(turns)}.tflite", folder / f"feeds{len(turns)}.npz")
                turn.model.write_bytes(content)
                turns[content] = Contender(turn, Measured(Setting(name, TFLITE, threads, xnnpack), 0.0))
        race(list(turns.values()), warmup=warmup, time_budget_s=budget_s, seed=SEED, progress=progress)
        host = dict(shared.host)
    by_name = {name: turns[content] for name, content in models.items()}
    return Timed(
        host=host,
        measured={name: one.measured for name, one in by_name.items() if one.error is None},
        failed={name: one.error for name, one in by_name.items() if one.error is not None},
    )


class SharedChild:
    """The child; a new one takes its place when a model brings it down."""

    def __init__(self, folder: Path, threads: int, xnnpack: bool, timeout_s: float) -> None:
        self.setting = Setting("one operator", TFLITE, threads, xnnpack)
        self.host: dict[str, str] = {}
        self._folder, self._timeout_s = folder, timeout_s
        self._process: RunnerProcess | None = None
        self._loaded: _Turn | None = None

    def request(self, turn: _Turn, do: str, more_s: float, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Load the model of ``turn`` unless it is there, and pass the request on."""
        process = self._started()
        try:
            again = self._loaded is not turn
            if again:
                self._load(process, turn)
            warmup = int(fields.get("warmup", 0)) + (WARM_AFTER_LOADING if again else 0)
            return process.request(do, more_s, **{**fields, "warmup": warmup})
        except TfmobileError:
            self.close()
            raise

    def _started(self) -> RunnerProcess:
        if self._process is None:
            self._process = RunnerProcess(self.setting, self._folder, self._timeout_s)
            hello = self._process.request("hello")
            self.host = {**hello["host"], "runtime": f"{hello['runtime']} {hello['version']}".strip(), **self.host}
        return self._process

    def _load(self, process: RunnerProcess, turn: _Turn) -> None:
        self._loaded = None
        setting = self.setting
        answer = process.request("load", model=str(turn.model), threads=setting.threads, xnnpack=setting.xnnpack)
        if not turn.feeds.exists():
            wanted = inputs.ports(answer["inputs"])
            inputs.write(turn.feeds, inputs.random_feeds(wanted, inputs.ranges([wanted]), SEED)[:SAMPLES])
        process.request("feed", path=str(turn.feeds))
        self._loaded = turn

    def close(self) -> None:
        """End the child."""
        self._loaded = None
        if self._process is not None:
            with contextlib.suppress(TfmobileError):
                self._process.close()
        self._process = None

    def __enter__(self) -> SharedChild:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, eq=False)
class _Turn:
    """One model and its inputs, for ``race`` like a child of its own."""

    shared: SharedChild
    model: Path
    feeds: Path = field(repr=False)

    def request(self, do: str, more_s: float = 0.0, **fields: Any) -> dict[str, Any]:
        return self.shared.request(self, do, more_s, fields)
