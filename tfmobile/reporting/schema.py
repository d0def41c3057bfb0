"""The JSON Schema of report.json, derived from the artifacts' own type hints so that the two cannot differ.

``python -m tfmobile.reporting.schema`` prints it; the printed text is kept in ``report.schema.json`` and in the docs.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmobile.artifacts import Report
from tfmobile.graph.model import Graph
from tfmobile.reporting.json_report import SCHEMA_VERSION
from tfmobile.reporting.plain import LEFT_OUT
from tfmobile.reporting.verdict import Verdicts

FILE = Path(__file__).with_name("report.schema.json")
_PORT = {
    "type": "object",
    "required": ["key", "tensor", "dtype", "shape"],
    "additionalProperties": False,
    "properties": {
        "key": {"type": "string"},
        "tensor": {"type": "string"},
        "dtype": {"type": "string"},
        "shape": {"type": ["array", "null"], "items": {"type": ["integer", "null"]}},
    },
}
_FIXED: Mapping[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"], "description": "null when it is not finite"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    Any: {},
    bytes: {
        "type": "object",
        "required": ["bytes", "sha256"],
        "additionalProperties": False,
        "properties": {"bytes": {"type": "integer"}, "sha256": {"type": "string"}},
    },
    Graph: {
        "type": "object",
        "required": ["nodes", "inputs", "outputs"],
        "additionalProperties": False,
        "properties": {
            "nodes": {"type": "integer"},
            "inputs": {"type": "array", "items": _PORT},
            "outputs": {"type": "array", "items": _PORT},
        },
    },
}


def report_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what ``to_json`` returns."""
    definitions: dict[str, Any] = {}
    root = _object(Report, definitions)
    root["properties"] = {
        "schema_version": {"const": SCHEMA_VERSION},
        "verdicts": _of(Verdicts, definitions),
        **root["properties"],
    }
    root["required"] = ["schema_version", "verdicts", *root["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tfmobile report",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """The schema as it is written to the file."""
    return json.dumps(report_schema(), indent=1, ensure_ascii=False) + "\n"


def _of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    fixed = _FIXED.get(hint) if isinstance(hint, type) or hint is Any else None
    if fixed is not None:
        return fixed
    if dataclasses.is_dataclass(hint):
        return _reference(hint, definitions)
    return _generic(hint, definitions)


def _generic(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_of(one, definitions) for one in arguments]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is tuple:
        items = [_of(one, definitions) for one in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    raise TypeError(f"{hint!r} has no JSON form")


def _reference(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _object(kind, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    hidden = LEFT_OUT.get(kind, frozenset())
    names = [field.name for field in dataclasses.fields(kind) if field.name not in hidden]
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip().split("\n")[0],
        "required": names,
        "additionalProperties": False,
        "properties": {name: _of(hints[name], definitions) for name in names},
    }


if __name__ == "__main__":
    print(text(), end="")
