"""Where the page of ``diagnose`` goes."""

from __future__ import annotations

from pathlib import Path

from tfmobile.artifacts import Diagnosis
from tfmobile.errors import OutputError, UsageError


def check_out(out: str | None) -> Path | None:
    """Where the page goes; raises UsageError or OutputError before any work is done."""
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"The page cannot be written to '{out}'.", why="It is an HTML page.", fixes=["--out diagnosis.html"]
        )
    if not path.parent.is_dir() or path.is_dir():
        raise OutputError(
            f"The page cannot be written to '{out}'.",
            why=f"'{path.parent}' is no folder." if not path.is_dir() else "It is a folder.",
            fixes=["Choose another file with --out."],
        )
    return path


def write_page(found: Diagnosis, path: Path) -> None:
    """The diagnosis as one self-contained HTML page."""
    from tfmobile.reporting.diagnosis import to_html

    try:
        path.write_text(to_html(found), encoding="utf-8")
    except OSError as cause:
        raise OutputError(
            f"The page cannot be written to '{path}'.", why=str(cause), fixes=["Choose another file with --out."]
        ) from cause
