"""The options of a .tflite's operators as texts, as far as this machine can read them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tfmobile.errors import ToolError
from tfmobile.runtime import flatbuffer

_ENUMERATIONS = {"padding": "Padding", "fusedActivationFunction": "ActivationFunctionType"}


def readable(content: bytes) -> Any:
    """The file's objects, with operator options where a schema to read them is installed."""
    try:
        return flatbuffer.read(content)
    except ToolError:
        return flatbuffer.view(content)


def option_texts(operator: Any) -> dict[str, str]:
    """Option → value; empty where options cannot be read, or the operator has none."""
    found: dict[str, str] = {}
    for options in (operator.builtinOptions, operator.builtinOptions2):
        found.update({key: _text(key, value) for key, value in vars(options).items()} if options is not None else {})
    custom = flatbuffer.sequence(operator.customOptions)
    if custom:
        found["custom options"] = bytes(custom).hex()
    return found


def _text(key: str, value: Any) -> str:
    if key in _ENUMERATIONS:
        return _names(_ENUMERATIONS[key]).get(int(value), str(value))
    if hasattr(value, "tolist"):
        return str(value.tolist())
    return flatbuffer.text(value) if isinstance(value, bytes) else str(value)


@functools.cache
def _names(enumeration: str) -> Mapping[int, str]:
    kind = getattr(flatbuffer.schema(), enumeration)
    return {value: name for name, value in vars(kind).items() if isinstance(value, int)}
