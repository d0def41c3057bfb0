"""The one place that shows errors and chooses the exit code."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import click

from tfmobile.errors import TfmobileError

BUG_EXIT_CODE = 70


def show_failure(error: Exception, *, as_json: bool) -> int:
    """Print what is wrong, why and the fix to stderr (as JSON also to stdout); return the exit code."""
    if isinstance(error, click.exceptions.Abort):
        click.echo("Interrupted.", err=True)
        return 130
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return 0
    facts = _facts(error)
    click.echo(_text(facts), err=True)
    if as_json:
        click.echo(json.dumps({"error": facts}, indent=2))
    return int(facts["exit_code"])


def _facts(error: Exception) -> dict[str, Any]:
    if isinstance(error, TfmobileError):
        return _row(error.code, error.exit_code, error.what, error.why, list(error.fixes))
    if isinstance(error, click.UsageError):
        fixes = [f"See: {error.ctx.command_path} --help"] if error.ctx else ["See: tfmobile --help"]
        return _row("usage", 2, error.format_message(), "", fixes)
    if isinstance(error, click.ClickException):
        return _row("usage", error.exit_code, error.format_message(), "", ["See: tfmobile --help"])
    report = _write_bug_report(error)
    why = f"{type(error).__name__}: {error}"
    return _row("bug", BUG_EXIT_CODE, "This is a bug in tfmobile.", why, [f"Please report it with the file {report}"])


def _row(code: str, exit_code: int, what: str, why: str, fixes: list[str]) -> dict[str, Any]:
    return {"code": code, "exit_code": exit_code, "what": what, "why": why, "fixes": fixes}


def _text(facts: dict[str, Any]) -> str:
    lines = [f"error: {facts['code']}", f"  {facts['what']}"]
    if facts["why"]:
        lines += [f"  {line}" for line in str(facts["why"]).splitlines()]
    return "\n".join([*lines, *(f"  fix: {fix}" for fix in facts["fixes"])])


def _write_bug_report(error: Exception) -> Path:
    from tfmobile.fingerprint import versions

    rows = [f"- {name} {version}" for name, version in versions().items()]
    trace = "".join(traceback.format_exception(error))
    text = "\n".join(
        [
            "# tfmobile bug report",
            f"Command: `{' '.join(sys.argv)}`",
            f"Python {platform.python_version()} on {platform.platform()}",
            *rows,
            "```",
            trace,
            "```",
        ]
    )
    with tempfile.NamedTemporaryFile("w", prefix="tfmobile-bug-", suffix=".md", delete=False, encoding="utf-8") as file:
        file.write(text)
    return Path(file.name)
