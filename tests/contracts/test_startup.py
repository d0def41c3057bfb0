"""Help and completion are instant, because nothing heavy is imported. Held on ``sys.modules``, not on time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HEAVY = {
    "tensorflow", "keras", "tf_keras", "ai_edge_litert", "litert_quantizer", "tflite_runtime",
    "numpy", "PIL", "h5py", "google", "flatbuffers", "rich", "jinja2", "asyncio", "multiprocessing",
}  # fmt: skip
# `import click` costs about this many modules; `tfmobile --help` may cost three times as many at most.
ALLOWED_RATIO = 3
RECORD = (
    "import atexit, json, sys; path = sys.argv.pop(); "
    "atexit.register(lambda: open(path, 'w').write(json.dumps(sorted(sys.modules)))); "
)
RUN = "import sys; from tfmobile.cli import main; main(sys.argv[1:])"


class Started(NamedTuple):
    """What a fresh interpreter had imported when it ended, and what it printed."""

    modules: set[str]
    output: str

    @property
    def heavy(self) -> set[str]:
        return {name.partition(".")[0] for name in self.modules} & HEAVY


def start(folder: Path, code: str, *words: str, **environment: str) -> Started:
    """Run ``code`` with arguments ``words`` in a fresh interpreter."""
    record = folder / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", RECORD + code, *words, str(record)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Started(set(json.loads(record.read_text())), done.stdout)


def complete(folder: Path, line: str) -> Started:
    """What bash is offered after ``line``."""
    words = line.split(" ")
    position = str(len(words) - 1)
    return start(folder, RUN, _TFMOBILE_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=position)


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    assert not start(tmp_path, "import tfmobile").heavy


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    helped = start(tmp_path, RUN, "--help")
    assert "optimize" in helped.output
    assert not helped.heavy


def test_help_imports_no_command(tmp_path: Path) -> None:
    modules = start(tmp_path, RUN, "--help").modules
    assert {name for name in modules if name.startswith("tfmobile.")} == {"tfmobile.cli"}


def test_help_costs_at_most_three_times_the_modules_of_click(tmp_path: Path) -> None:
    bare = start(tmp_path, "pass").modules
    click = start(tmp_path, "import click").modules - bare
    helped = start(tmp_path, RUN, "--help").modules - bare
    assert len(helped) <= ALLOWED_RATIO * len(click)


@pytest.mark.parametrize("command", ["optimize", "inspect", "transform", "diff", "freeze", "evaluate"])
def test_the_help_of_a_command_imports_nothing_heavy(tmp_path: Path, command: str) -> None:
    helped = start(tmp_path, RUN, command, "--help")
    assert "--json" in helped.output
    assert not helped.heavy


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tfmobile opt", "optimize"),
        ("tfmobile optimize --recipe int8-", "int8-per-tensor"),
        ("tfmobile optimize --target c", "cpu"),
        ("tfmobile optimize --xnn", "--xnnpack"),
    ],
)
def test_completion_knows_the_names_and_imports_nothing_heavy(tmp_path: Path, line: str, offered: str) -> None:
    completed = complete(tmp_path, line)
    assert offered in {row.partition(",")[2] for row in completed.output.splitlines()}
    assert not completed.heavy
