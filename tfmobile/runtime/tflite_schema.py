"""The part of the .tflite schema (version 3) that reading needs, as data: works where no generated schema is installed.

Objects have the attribute names of the generated object classes. Operator options are not read.
https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tfmobile import datafiles
from tfmobile.runtime import tables

SCHEMA: tables.Schema = {
    "Model": (
        ("version", "uint32"),
        ("operatorCodes", "[OperatorCode]"),
        ("subgraphs", "[SubGraph]"),
        ("description", "string"),
        ("buffers", "[Buffer]"),
        ("metadataBuffer", "[int32]"),
        ("metadata", "[Metadata]"),
        ("signatureDefs", "[SignatureDef]"),
    ),
    "OperatorCode": (
        ("deprecatedBuiltinCode", "int8"),
        ("customCode", "string"),
        ("version", "int32"),
        ("builtinCode", "int32"),
    ),
    "SubGraph": (
        ("tensors", "[Tensor]"),
        ("inputs", "[int32]"),
        ("outputs", "[int32]"),
        ("operators", "[Operator]"),
        ("name", "string"),
    ),
    "Tensor": (
        ("shape", "[int32]"),
        ("type", "int8"),
        ("buffer", "uint32"),
        ("name", "string"),
        ("quantization", "QuantizationParameters"),
        ("isVariable", "bool"),
        ("", "sparsity"),
        ("shapeSignature", "[int32]"),
    ),
    "QuantizationParameters": (
        ("min", "[float32]"),
        ("max", "[float32]"),
        ("scale", "[float32]"),
        ("zeroPoint", "[int64]"),
        ("", "details type"),
        ("", "details"),
        ("quantizedDimension", "int32"),
    ),
    "Operator": (
        ("opcodeIndex", "uint32"),
        ("inputs", "[int32]"),
        ("outputs", "[int32]"),
        ("builtinOptionsType", "uint8"),
        ("", "options"),
        ("customOptions", "[uint8]"),
        ("", "custom options format"),
        ("", "mutating variable inputs"),
        ("intermediates", "[int32]"),
    ),
    "Buffer": (("data", "[uint8]"), ("offset", "uint64"), ("size", "uint64")),
    "Metadata": (("name", "string"), ("buffer", "uint32")),
    "SignatureDef": (
        ("inputs", "[TensorMap]"),
        ("outputs", "[TensorMap]"),
        ("signatureKey", "string"),
        ("", "removed"),
        ("subgraphIndex", "uint32"),
    ),
    "TensorMap": (("name", "string"), ("tensorIndex", "uint32")),
}
# Attributes that exist on the generated objects and are not read here.
_ABSENT = {"Operator": ("builtinOptions", "builtinOptions2")}


def view(content: bytes) -> Any:
    """The model as objects, sharing memory with ``content``; every offset is checked. Raises tables.Damaged."""
    return _object("Model", tables.decode(content, SCHEMA, "Model"))


def _object(table: str, values: Mapping[str, Any]) -> SimpleNamespace:
    made: dict[str, Any] = dict.fromkeys(_ABSENT.get(table, ()))
    for field, kind in SCHEMA[table]:
        if not field:
            continue
        value = values.get(field)
        inner = kind.strip("[]")
        if inner in SCHEMA and value is not None:
            value = [_object(inner, one) for one in value] if kind.startswith("[") else _object(inner, value)
        made[field] = 0 if value is None and kind[0] in "iu" else value
    return SimpleNamespace(**made)


@functools.cache
def names(enumeration: str) -> tuple[str, ...]:
    """Names by number of ``operators`` (CONV_2D, …) or ``tensor-types`` (FLOAT32, …)."""
    rows = datafiles.read_toml(Path(__file__).with_name("schema_names.toml"))
    return tuple(rows[enumeration])
