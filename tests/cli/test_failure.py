"""Errors as the user sees them: text on stderr, one JSON document on stdout, the documented exit code."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from tfmobile.cli import main
from tfmobile.cli.failure import show_failure
from tfmobile.errors import DataError


def test_an_error_says_what_why_and_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    error = DataError("No samples.", why="The folder is empty.", fixes=["Check the path."])
    assert show_failure(error, as_json=False) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "error: data",
        "  No samples.",
        "  The folder is empty.",
        "  fix: Check the path.",
    ]


def test_with_json_the_error_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_failure(DataError("No samples.", fixes=["Check."]), as_json=True) == 4
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "data"


def test_a_bug_leaves_a_report_to_send(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_failure(RuntimeError("unforeseen"), as_json=True) == 70
    fix = json.loads(capsys.readouterr().out)["error"]["fixes"][0]
    report = Path(fix.split()[-1])
    assert "unforeseen" in report.read_text(encoding="utf-8")
    report.unlink()


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["optmize"], 2), (["inspect"], 2), (["evaluate", "-x"], 2)]
)
def test_exit_codes(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert (left.value.code or 0) == code
    assert "Traceback" not in capsys.readouterr().err


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Group, "main", interrupted)
    with pytest.raises(SystemExit) as left:
        main(["list-recipes"])
    assert left.value.code == 130
    assert "run the same command again" in capsys.readouterr().err
