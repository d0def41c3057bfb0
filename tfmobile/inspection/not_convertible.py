"""What is known of an op's conversion to TFLite builtins; the rows are in not_convertible.toml and builtins.toml."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tfmobile import datafiles
from tfmobile.graph.ops import default_attributes


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


@functools.cache
def builtins() -> Mapping[str, tuple[str, ...]]:
    """Op → the builtin operators it becomes, none when it is gone after conversion."""
    rows = datafiles.read_toml(Path(__file__).with_name("builtins.toml"))["builtins"]
    return {op: tuple(operators) for op, operators in rows.items()}


def is_unknown(op: str) -> bool:
    """Whether this TensorFlow does not have the op; a function of the library counts as unknown too."""
    return default_attributes(op) is None
