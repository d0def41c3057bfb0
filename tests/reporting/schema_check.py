"""The part of JSON Schema that report.schema.json uses, checked by hand: enough to fail on any other form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "required", "additionalProperties", "properties",
    "items", "prefixItems", "minItems", "maxItems", "anyOf", "enum", "const",
}  # fmt: skip
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def problems(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], where: str = "$") -> list[str]:
    """Every place where ``value`` is not of the form ``schema``."""
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, where)
    if "anyOf" in schema:
        tries = [problems(value, one, root, where) for one in schema["anyOf"]]
        return [] if not all(tries) else min(tries, key=len)
    found = _simple(value, schema, where)
    return found or [*_object(value, schema, root, where), *_array(value, schema, root, where)]


def _simple(value: Any, schema: Mapping[str, Any], where: str) -> list[str]:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        return [f"{where}: {value!r:.40} is not {kinds}"]
    if "const" in schema and value != schema["const"]:
        return [f"{where}: is not {schema['const']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    return []


def _object(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    found = [f"{where}: '{name}' is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        rest = schema.get("additionalProperties", {})
        if name not in known and rest is False:
            found.append(f"{where}: '{name}' is not known")
        else:
            found += problems(item, known.get(name, rest if isinstance(rest, dict) else {}), root, f"{where}.{name}")
    return found


def _array(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], where: str) -> list[str]:
    if not isinstance(value, list):
        return []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return [f"{where}: has {len(value)} items"]
    first = schema.get("prefixItems", [])
    kinds = [*first, *[schema.get("items", {})] * (len(value) - len(first))]
    pairs = enumerate(zip(value, kinds, strict=True))
    return [text for index, (item, kind) in pairs for text in problems(item, kind, root, f"{where}[{index}]")]
