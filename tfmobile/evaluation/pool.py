"""The worker processes of ``evaluate``: start them, hand out ranges of samples, collect records, name who crashed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfmobile.artifacts import NamedModel, TensorFact
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import VerificationError
from tfmobile.evaluation.records import SampleRecord, from_json
from tfmobile.evaluation.tasks import Judgement
from tfmobile.evaluation.worker import LOADING, MEASURING, RUNNING, STATUS
from tfmobile.progress import Progress
from tfmobile.runtime import child

MODULE = "tfmobile.evaluation.worker"
MAX_RANGE = 16
AHEAD = 2
"""Ranges a worker holds at a time, so that it never waits for the parent."""


@dataclass
class _Child:
    place: int
    process: subprocess.Popen[str]
    log: Path
    heard: float
    ready: bool = False
    held: int = 0
    ended: bool = False
    targets: list[list[float]] = field(default_factory=list)


class Pool:
    """Workers over one data set. Use as a context: leaving it ends every process and removes the temporary folder."""

    def __init__(self, models: Sequence[NamedModel], spec: DataSpec, metric: str | None, timeout_s: float) -> None:
        self._names = [model.name for model in models]
        self._models = models
        self._timeout_s = timeout_s
        self._request = {"models": len(models), "data": dataclasses.asdict(spec), "metric": metric}
        self._lines: queue.Queue[tuple[_Child, str]] = queue.Queue()
        self._children: list[_Child] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Pool:
        # The folder goes again if it cannot be filled, and stays until __exit__ if it can.
        with contextlib.ExitStack() as stack, child.folder_errors():
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tfmobile-")))
            (self._folder / "request.json").write_text(json.dumps(self._request), encoding="utf-8")
            for index, model in enumerate(self._models):
                (self._folder / f"model-{index}.tflite").write_bytes(model.content)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._children:
            if one.process.poll() is None:
                one.process.kill()
            one.process.wait()
            for stream in (one.process.stdin, one.process.stdout):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()
        self._stack.close()

    def start(self, workers: int) -> None:
        """Start ``workers`` processes; they load the models by themselves."""
        # Interpreters have one thread each; numpy's own pools would only cost start-up and fight for the cores.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        for place in range(workers):
            log = self._folder / f"stderr-{place}"
            command = child.command(MODULE, self._folder)
            command[-1] += f"#{place}"
            with log.open("wb") as stderr:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    encoding="utf-8",
                    env=environment,
                )
            one = _Child(place, process, log, time.monotonic())
            self._children.append(one)
            threading.Thread(target=self._read, args=(one,), daemon=True).start()

    def outputs(self) -> list[list[TensorFact]]:
        """The outputs of every model, as soon as one worker has loaded them."""
        while True:
            one, message = self._next()
            if "ready" in message:
                one.ready = True
                return [[_fact(values) for values in facts] for facts in message["ready"]]

    def run(self, how: Judgement, samples: int, progress: Progress) -> Iterator[SampleRecord]:
        """Records of all samples, in the order in which they are finished."""
        for one in self._children:
            self._tell(one, json.dumps(dataclasses.asdict(how)))
        todo = _Ranges(samples, len(self._children))
        for _ in range(AHEAD):
            for one in self._children:
                self._give(one, todo)
        done = 0
        progress("evaluate", 0, samples)
        while done < samples or not all(one.ended for one in self._children):
            one, message = self._next()
            for row in message.get("rows", ()):
                yield from_json(row)
                done += 1
            if message.get("rows"):
                progress("evaluate", done, samples)
            if message.get("done"):
                one.held -= 1
                self._give(one, todo)
            if "targets" in message:
                one.targets, one.ended = message["targets"], True

    def targets(self) -> list[list[list[float]]]:
        """Count, sum, sum of squares of the regression targets, of every worker that saw some."""
        return [one.targets for one in self._children if one.targets]

    def _give(self, one: _Child, todo: _Ranges) -> None:
        part = todo.take()
        if part is not None:
            self._tell(one, f"{part[0]} {part[1]}")
            one.held += 1
        elif one.held == 0 and not one.ended:
            self._tell(one, "end")

    def _tell(self, one: _Child, line: str) -> None:
        assert one.process.stdin is not None
        one.heard = time.monotonic()
        # A worker that is gone is reported where its answers end.
        with contextlib.suppress(OSError):
            one.process.stdin.write(line + "\n")
            one.process.stdin.flush()

    def _read(self, one: _Child) -> None:
        assert one.process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in one.process.stdout:
                self._lines.put((one, line))
            self._lines.put((one, ""))

    def _next(self) -> tuple[_Child, dict[str, Any]]:
        """The next message of any worker; raises for an error, a crash, or a worker that was silent too long."""
        while True:
            now = time.monotonic()
            waiting = [one for one in self._children if not one.ended and (one.held or not one.ready)]
            late = next((one for one in waiting if now - one.heard > self._timeout_s), None)
            if late is not None:
                raise self._hung(late)
            try:
                one, line = self._lines.get(timeout=min(1.0, self._timeout_s))
            except queue.Empty:
                continue
            one.heard = time.monotonic()
            if not line:
                if one.ended:
                    continue
                raise self._crashed(one)
            message: dict[str, Any] = json.loads(line)
            if "error" in message:
                raise child.rebuild(message["error"])
            one.ready = True
            return one, message

    def _doing(self, one: _Child) -> tuple[str, str]:
        """Which model a worker was busy with (or "The model"), and where, from its status file."""
        try:
            phase, model, position = STATUS.unpack((self._folder / f"status-{one.place}").read_bytes())
        except (OSError, struct.error):
            return "The evaluation", "while starting"
        if phase == LOADING:
            return f"The model '{self._names[model]}'", "while it was loaded"
        if phase == RUNNING:
            return f"The model '{self._names[model]}'", f"on sample {position}"
        if phase == MEASURING and self._request["metric"]:
            return f"The metric '{self._request['metric']}'", f"on sample {position}"
        return "The evaluation", f"while sample {max(position, 0)} was read"

    def _crashed(self, one: _Child) -> Exception:
        code = one.process.wait()
        what, where = self._doing(one)
        error = child.failure(what, code, child.tail(one.log))
        return type(error)(error.what, why=f"It happened {where}. {error.why}", fixes=error.fixes)

    def _hung(self, one: _Child) -> VerificationError:
        what, where = self._doing(one)
        return VerificationError(
            f"{what} did not answer for {self._timeout_s:g} seconds {where} and was stopped.",
            why=child.tail(one.log) or "It gave no message.",
            fixes=[
                "Check the model: tfmobile inspect MODEL",
                "Evaluate with fewer samples (--limit) or another model.",
            ],
        )


class _Ranges:
    """Ranges of sample positions: long first, short at the end, so that workers finish together."""

    def __init__(self, samples: int, workers: int) -> None:
        self._next, self._samples, self._workers = 0, samples, workers

    def take(self) -> tuple[int, int] | None:
        left = self._samples - self._next
        if left == 0:
            return None
        size = max(1, min(MAX_RANGE, left // (2 * AHEAD * self._workers)))
        start, self._next = self._next, self._next + size
        return start, self._next


def _fact(values: dict[str, Any]) -> TensorFact:
    return TensorFact(**{**values, "shape": tuple(values["shape"])})
