"""A recipe as the text of a TOML file that makes it again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tfmobile.quantization.recipe import Recipe


def recipe_text(recipe: Recipe) -> str:
    """TOML: keys with hyphens, those at their default left out; the name is the file's."""
    lines, tables = [], []
    for item in dataclasses.fields(recipe):
        value = getattr(recipe, item.name)
        key = item.name.replace("_", "-")
        if item.name == "name" or value == _default(item):
            continue
        if isinstance(value, Mapping):
            tables += ["", f"[{key}]", *(f"{_text(name)} = {_value(one)}" for name, one in value.items())]
        else:
            lines.append(f"{key} = {_value(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
