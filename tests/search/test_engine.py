"""Jobs on all cores: a job that fails, crashes or hangs fails alone."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tfmobile.search.engine import Job, LocalEngine

TASKS = """
import os, signal, time
from tfmobile.errors import DataError
def double(request): return 2 * request["number"]
def noisy(request): print("hello"); return os.getpid()
def refuse(request): raise DataError("No.", why="Because.", fixes=["Do this."])
def stumble(request): return [][1]
def crash(request): os.kill(os.getpid(), signal.SIGSEGV)
def hang(request): time.sleep(60)
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tasks_of_a_test.py").write_text(TASKS)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return "tasks_of_a_test"


def values(engine: LocalEngine, jobs: list[Job]) -> list[Any]:
    return [result.values if result.error is None else result.error.what for result in engine.map(jobs)]


def test_results_come_as_they_are_ready_each_with_its_job(tasks: str) -> None:
    jobs = [Job(f"{tasks}:double", {"number": number}) for number in range(7)]
    with LocalEngine(2) as engine:
        found = {result.job.request["number"]: result.values for result in engine.map(jobs)}
    assert found == {number: 2 * number for number in range(7)}


def test_what_fails_fails_alone_with_its_reason(tasks: str) -> None:
    names = ["double", "refuse", "crash", "stumble", "double"]
    with LocalEngine(1) as engine:
        found = values(engine, [Job(f"{tasks}:{name}", {"number": 4}) for name in names])
    assert found[0] == found[4] == 8
    assert found[1] == "No."
    assert "SIGSEGV" in found[2]
    assert "list index out of range" in found[3]


def test_a_job_that_hangs_is_stopped(tasks: str) -> None:
    with LocalEngine(1, timeout_s=1.5) as engine:
        found = values(engine, [Job(f"{tasks}:hang", {}), Job(f"{tasks}:double", {"number": 1})])
    assert "1.5 seconds" in found[0]
    assert found[1] == 2


def test_what_a_task_prints_is_no_answer_and_leaving_ends_the_processes(tasks: str) -> None:
    with LocalEngine(1) as engine:
        (process,) = values(engine, [Job(f"{tasks}:noisy", {})])
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    pytest.fail("the worker outlived its engine")
