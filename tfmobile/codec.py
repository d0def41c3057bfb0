"""Frozen dataclasses to JSON values and back, driven by their type hints; for what the workspace keeps between runs."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Dataclasses become objects, tuples lists; bytes and arrays are refused (they are stored as blobs)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")


def finite(value: Any) -> Any:
    """The same JSON value with NaN and infinities as null, which JSON has no words for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def decode(kind: type[T], value: Any) -> T:
    """Rebuild ``kind`` from what ``encode`` made of it."""
    return typing.cast(T, _decode(kind, value))


def _decode(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if value is None or hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _decode(next(one for one in arguments if one is not type(None)), value)
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return hint(*value)
    if origin is tuple:
        inner = arguments if arguments[-1] is not Ellipsis else [arguments[0]] * len(value)
        return tuple(_decode(one, item) for one, item in zip(inner, value, strict=True))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _decode(arguments[1], item) for key, item in value.items()}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{key: _decode(hints[key], item) for key, item in value.items()})
    return value
