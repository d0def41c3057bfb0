"""Ops that are known not to convert to TFLite builtins; the rows are in not_convertible.toml."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from tfmobile import datafiles


@dataclass(frozen=True)
class Group:
    """One row: ops, and why they do not convert or what to do."""

    ops: tuple[str, ...]
    why: str


@functools.cache
def reasons() -> dict[str, str]:
    """Op → why it does not convert."""
    path = Path(__file__).with_name("not_convertible.toml")
    rows = [datafiles.row(Group, values, f"'{path.name}'") for values in datafiles.read_toml(path)["group"]]
    return {op: row.why for row in rows for op in row.ops}
