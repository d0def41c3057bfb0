"""``make`` explains itself, and says what to do on a machine without a fitting Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make without what an outer make passes on."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=cwd, capture_output=True, text=True, env=environment, check=False)


def test_help_is_the_default_and_lists_every_target() -> None:
    listed = make().stdout
    for name in ("demo", "test", "test-all", "lint", "docs", "clean", "help"):
        assert f"\n  make {name} " in f"\n{listed}"


def test_without_a_fitting_python_it_says_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = make("PYTHON=no-such-python", "test", cwd=tmp_path)
    assert done.returncode != 0
    assert "no Python 3.10 to 3.13" in done.stderr
    assert "PYTHON=" in done.stderr
    assert not list(tmp_path.glob(".venv/bin"))


def test_the_ci_script_runs_lint_and_the_fast_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert [line for line in lines if line.startswith("make ")] == ["make lint", "make test"]
