"""Killed in the middle of calibration, improvement or writing, the next run finishes and gives the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.running import Sample, tfmobile


def arguments(small: Sample, out: Path, recipe: str) -> list[str]:
    words = ["optimize", small.model, "--data", small.test, "--calibrate-with", small.calibration, "--std", "255"]
    return [*map(str, words), "--mean", "0", "--no-benchmark", "--recipe", recipe, "-o", str(out)]


@pytest.fixture(scope="module")
def undisturbed(small: Sample, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The .tflite by recipe."""
    found = {}
    for recipe in ("int8-fast", "int8"):
        out = tmp_path_factory.mktemp("undisturbed")
        ran = tfmobile(*arguments(small, out, recipe))
        assert ran.code == 0, ran.err
        found[recipe] = (out / "model.tflite").read_bytes()
    return found


# The process kills itself at a chosen moment: a race-free stand-in for an outside `kill -9`.
DIE = """
import os, signal, sys
import tfmobile.workspace as workspace
import tfmobile.steps.quantized as quantized
quantized.CHECKPOINT_EVERY = 10
owner = {owner}
original, count = owner.{name}, 0
def dying(*args):
    global count
    count += 1
    if count == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args)
owner.{name} = dying
from tfmobile.cli import main
main(sys.argv[1:])
"""


def run_and_die(words: list[str], owner: str, name: str, at: int) -> None:
    code = DIE.format(owner=owner, name=name, at=at)
    died = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr


def test_killed_in_calibration_the_next_run_resumes_and_is_byte_identical(
    small: Sample, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    words = arguments(small, tmp_path, "int8-fast")
    # A checkpoint after 10 and after 20 of 30 samples; death at the second one, with one saved.
    run_and_die(words, "workspace.Workspace", "write_partial", 2)
    assert list((tmp_path / ".work").glob("calibrate-*.partial.json"))
    assert not (tmp_path / "model.tflite").exists()

    ran = tfmobile(*words)
    assert ran.code == 0, ran.err
    assert (tmp_path / "model.tflite").read_bytes() == undisturbed["int8-fast"]


@pytest.mark.parametrize(("recipe", "at"), [("int8-fast", 1), ("int8-fast", 14), ("int8", 12), ("int8", 20)])
def test_killed_in_writing_the_next_run_is_whole_and_byte_identical(
    small: Sample, tmp_path: Path, undisturbed: dict[str, bytes], recipe: str, at: int
) -> None:
    words = arguments(small, tmp_path, recipe)
    run_and_die(words, "workspace", "_write_durably", at)
    assert not (tmp_path / "report.html").exists()

    ran = tfmobile(*words)
    assert ran.code == 0, ran.err
    assert (tmp_path / "model.tflite").read_bytes() == undisturbed[recipe]
    assert not list((tmp_path / ".work").glob("*.tmp"))


def test_killed_from_outside_at_a_random_moment_the_next_run_is_byte_identical(
    small: Sample, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    words = arguments(small, tmp_path, "int8")
    with subprocess.Popen(
        [sys.executable, "-m", "tfmobile", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob(".work/improve-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    ran = tfmobile(*words)
    assert ran.code == 0, ran.err
    assert (tmp_path / "model.tflite").read_bytes() == undisturbed["int8"]
