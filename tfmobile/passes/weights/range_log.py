"""The minima and maxima that a graph printed while it ran."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from tfmobile.errors import DataError

Range: TypeAlias = tuple[float, float]
"""A minimum and a maximum."""

_LINE = re.compile(r"(?:^|;)([^;]+)__print__;__requant_min_max:\[([^][]*)\]\[([^][]*)\]")


def read_ranges(file: str, how_to_log: str) -> Mapping[str, list[Range]]:
    """The ranges in the file by the node's name, in their order; lines of another form are no concern of this.

    Raises DataError, with ``how_to_log`` among the fixes, when the file cannot be read or holds no range.
    """
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as cause:
        raise DataError(
            f"The log {file} cannot be read.",
            why=str(cause.strerror or cause),
            fixes=["Check the path: min_max_log_file is taken from where the command runs.", how_to_log],
        ) from cause
    found: dict[str, list[Range]] = {}
    for line in text.splitlines():
        for name, low, high in _LINE.findall(line):
            found.setdefault(name, []).append((_number(low, line, file), _number(high, line, file)))
    if not found:
        raise DataError(
            f"The log {file} holds no ranges.",
            why="No line looks like ;NAME__print__;__requant_min_max:[MINIMUM][MAXIMUM].",
            fixes=[how_to_log, "Run the graph with that, and keep what it prints to standard error: 2> log.txt"],
        )
    return found


def _number(text: str, line: str, file: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"The log {file} has a range that is no number: '{text}'.",
            why=f"The line: {line.strip()[:200]}",
            fixes=["Take the line out, or find the input that makes the model compute it."],
        )
    return value
