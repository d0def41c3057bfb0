"""TOML rows to frozen dataclasses: an unknown key or a value of the wrong type is an error that says where."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tfmobile.errors import PlanError
from tfmobile.registry import unknown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Row = TypeVar("Row")


def read_toml(path: Path) -> dict[str, Any]:
    """The parsed file; raises PlanError with the line for bad syntax, or when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"There is no file '{path}'.", fixes=["Check the path."]) from None
    except OSError as cause:
        raise PlanError(f"'{path}' cannot be read.", why=str(cause), fixes=["Check its permissions."]) from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise PlanError(
            f"'{path}' is not valid TOML.", why=str(cause), fixes=["Correct the line named above."]
        ) from cause


def row(kind: type[Row], values: Mapping[str, Any], where: str) -> Row:
    """Build dataclass ``kind`` from a TOML table; hyphens in keys stand for underscores, arrays become tuples."""
    fields = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in fields:
            error = unknown("key", key, [field.replace("_", "-") for field in fields])
            raise PlanError(f"{where}: {error.what}", why=error.why, fixes=error.fixes)
        arguments[name] = _checked(_frozen(value), hints[name], f"{where}, key '{key}'")
    try:
        return kind(**arguments)
    except TypeError as cause:
        raise PlanError(f"{where} is incomplete.", why=str(cause), fixes=["Add the missing key."]) from cause


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _checked(value: Any, hint: Any, where: str) -> Any:
    if not _fits(value, hint):
        raise PlanError(
            f"{where}: {value!r} is not allowed.",
            why=f"Expected {_spell(hint)}.",
            fixes=["Correct the value."],
        )
    return value


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, typing.get_origin(hint) or hint)


def _spell(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(repr(value) for value in typing.get_args(hint))
    return getattr(hint, "__name__", str(hint))
