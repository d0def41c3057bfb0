"""Any artifact as JSON values: no bytes, graphs or pictures (their size and hash instead), no NaN, no numpy types."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from tfmobile.artifacts import ChangedSample
from tfmobile.graph.model import Graph

LEFT_OUT: Mapping[type[Any], frozenset[str]] = {ChangedSample: frozenset({"thumbnail"})}
"""Fields that are not written: pictures belong to the HTML page."""


def plain(value: Any) -> Any:
    """JSON values only. A number that is not finite becomes null; what JSON has no form for becomes its text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Graph):
        return graph_fact(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hidden = LEFT_OUT.get(type(value), frozenset())
        fields = [field.name for field in dataclasses.fields(value) if field.name not in hidden]
        return {name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        content = bytes(value)
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    if isinstance(value, Set):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # a numpy scalar or array
        found = value.tolist()
        return str(value) if found is value else plain(found)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str(value)


def graph_fact(graph: Graph) -> dict[str, Any]:
    """How many nodes a graph has, and its inputs and outputs."""
    ports = {"inputs": graph.inputs, "outputs": graph.outputs}
    return {
        "nodes": len(graph),
        **{
            name: [
                {
                    "key": spec.key,
                    "tensor": str(spec.ref),
                    "dtype": spec.dtype,
                    "shape": None if spec.shape is None else list(spec.shape),
                }
                for spec in specs
            ]
            for name, specs in ports.items()
        },
    }
