"""Habits that no linter keeps: small files, names that say something, nothing about one machine."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = {".py", ".toml", ".j2", ".css", ".js", ".kt", ".swift", ".sh"}
LONGEST_FILE = 400
EMPTY_NAMES = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "core"}
# Spelled in pieces, so that this file holds none of them.
REGISTRIES = [
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("deb", "debian", "org"),
        ("registry", "npmjs"), ("crates", "io"), ("repo1", "maven"), ("proxy", "golang"),
    )
]  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w./}$])/(?:work|root)/\w")
TEMPORARY_PATH = re.compile(r"(?<![\w./}$])/tmp/\w")
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|XX" + r"X)\b")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the project that git knows and that is still there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def texts() -> list[tuple[str, str]]:
    """Name and text of every tracked text file."""
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((str(path.relative_to(ROOT)), content.decode("utf-8")))
    return found


def lines_matching(pattern: re.Pattern[str]) -> list[str]:
    """``file:line`` of every match."""
    return [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_of_code_is_longer_than_400_lines() -> None:
    long = {name: text.count("\n") for name, text in texts() if Path(name).suffix in CODE}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST_FILE}


def test_names_of_files_and_folders_say_what_is_inside() -> None:
    empty = [path for path in tracked() if EMPTY_NAMES & {*path.relative_to(ROOT).parent.parts, path.stem}]
    assert not empty


def test_nothing_is_left_unfinished() -> None:
    assert not lines_matching(UNFINISHED)


def test_no_package_registry_is_named() -> None:
    assert not lines_matching(re.compile("|".join(REGISTRIES)))


def test_no_path_of_one_machine_is_named() -> None:
    assert not lines_matching(MACHINE_PATH)
    # Tests may hold one as the content of a hostile model.
    assert not [line for line in lines_matching(TEMPORARY_PATH) if not line.startswith("tests/")]


def test_every_committed_file_is_small() -> None:
    large = [path for path in tracked() if path.stat().st_size > 1_000_000]
    assert not large
