"""Run the command line as a user does, and the small model that the end-to-end tests run it on."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """A Keras model of 8×8 grey pictures with batch norm and dropout, and .npz data for it."""

    model: Path
    calibration: Path
    test: Path


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def tfmobile(*words: str | Path, cwd: Path | None = None, timeout: float = 280) -> Ran:
    """Run the command line in a process of its own, as a user does."""
    command = [sys.executable, "-m", "tfmobile", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=timeout, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def tfmobile_here(*words: str | Path) -> Ran:
    """Run the command line in this process, where TensorFlow is loaded; what native code prints is not caught."""
    from tfmobile.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            return Ran(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the command line always exits")
