"""Where trials run. A job is plain data, so that an engine may send it to another machine; this one uses all cores."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

from tfmobile.errors import TfmobileError, VerificationError
from tfmobile.runtime import child

WORKER = "tfmobile.search.engine_worker"


@dataclass(frozen=True)
class Job:
    """``task`` is ``module:function``; ``request`` is JSON, with paths of files that the worker can read."""

    task: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What the task returned (JSON), or the error that ended it, a crash of its process included."""

    job: Job
    values: Any = None
    error: TfmobileError | None = None


class Engine(Protocol):
    """Runs jobs. ``map`` may be called from several threads at a time."""

    def map(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """The results of all jobs, each as soon as it is there; an error of a job is its result, never an exception."""
        ...


class LocalEngine:
    """Worker processes on this machine, as many as ``workers`` (default: cores), started when there is work for them.

    A job that crashes its process, or takes longer than ``timeout_s`` seconds, fails alone: the next one gets a new
    process. Use as a context: leaving it ends every process. Workers also end when this process does.
    """

    def __init__(self, workers: int | None = None, timeout_s: float = 600.0) -> None:
        self._most = workers or cores()
        self._timeout_s = timeout_s
        self._todo: queue.Queue[tuple[Job, queue.Queue[Result]] | None] = queue.Queue()
        self._hands: list[_Hand] = []
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def workers(self) -> int:
        """How many jobs run at a time."""
        return self._most

    def map(self, jobs: Iterable[Job]) -> Iterator[Result]:
        answers: queue.Queue[Result] = queue.Queue()
        count = 0
        for job in jobs:
            self._todo.put((job, answers))
            count += 1
        with self._lock:
            for _ in range(min(count, self._most - len(self._hands))):
                self._hands.append(_Hand(self._todo, self._timeout_s))
        for _ in range(count):
            yield answers.get()

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hand in self._hands:
            hand.stop()
        for _ in self._hands:
            self._todo.put(None)
        for hand in self._hands:
            hand.join()


class _Hand(threading.Thread):
    """One worker process and the thread that serves it."""

    def __init__(self, todo: queue.Queue[tuple[Job, queue.Queue[Result]] | None], timeout_s: float) -> None:
        super().__init__(daemon=True)
        self._todo, self._timeout_s = todo, timeout_s
        self._process: _Process | None = None
        self._stopped = False
        self.start()

    def run(self) -> None:
        while not self._stopped and (item := self._todo.get()) is not None:
            job, answers = item
            answers.put(self._do(job))
        self._drop()

    def stop(self) -> None:
        """End the process, and with it what it is doing."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def _do(self, job: Job) -> Result:
        try:
            if self._process is None:
                self._process = _Process()
            answer = self._process.ask(job, self._timeout_s)
        except TfmobileError as error:
            self._drop()
            return Result(job, error=error)
        if "error" in answer:
            return Result(job, error=child.rebuild(answer["error"]))
        return Result(job, values=answer["values"])

    def _drop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


@dataclass
class _Process:
    """A child that answers one JSON line to each it is sent."""

    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="tfmobile-", ignore_cleanup_errors=True)
    )

    def __post_init__(self) -> None:
        self._log = Path(self.folder.name) / "stderr"
        # One thread each: there is a worker for every core.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                child.command(WORKER, Path(self.folder.name)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                env=environment,
            )

    def ask(self, job: Job, timeout_s: float) -> dict[str, Any]:
        """The answer to a job; raises when the child dies or takes too long."""
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None
        assert stdout is not None
        alarm = threading.Timer(timeout_s, self.kill)
        alarm.start()
        try:
            with contextlib.suppress(OSError):  # a child that is gone is noticed when it does not answer
                stdin.write(json.dumps({"task": job.task, "request": job.request}) + "\n")
                stdin.flush()
            line = _line(stdout)
        finally:
            late = not alarm.is_alive()
            alarm.cancel()
        if not line and late:
            raise VerificationError(
                f"The candidate did not answer for {timeout_s:g} seconds and was stopped.",
                why=child.tail(self._log) or "It gave no message.",
                fixes=["Search with fewer samples: --limit 500"],
            )
        if not line:
            raise child.failure("The candidate", self._child.wait(), child.tail(self._log))
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        if self._child.poll() is None:
            self._child.kill()

    def close(self) -> None:
        self.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        self.folder.cleanup()


def _line(stream: IO[str]) -> str:
    try:
        return stream.readline()
    except (OSError, ValueError):
        return ""


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
