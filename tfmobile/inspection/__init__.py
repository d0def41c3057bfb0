"""What is in a model: operators, parameters, MACs, size by layer. Opens nothing that executes code."""

from __future__ import annotations

from typing import Any

from tfmobile.codec import encode
from tfmobile.inspection.drawing import check_ending, draw
from tfmobile.inspection.facts import GraphInspection, TFLiteInspection, WrittenFacts
from tfmobile.inspection.graph import inspect_graph
from tfmobile.inspection.rendering import print_inspection
from tfmobile.inspection.tflite import inspect_tflite
from tfmobile.inspection.written import written_facts

SCHEMA_VERSION = 2

__all__ = [
    "GraphInspection",
    "TFLiteInspection",
    "WrittenFacts",
    "check_ending",
    "draw",
    "inspect_graph",
    "inspect_tflite",
    "print_inspection",
    "to_dict",
    "written_facts",
]


def to_dict(inspection: GraphInspection | TFLiteInspection) -> dict[str, Any]:
    """JSON values; ``kind`` is graph or tflite."""
    kind = "graph" if isinstance(inspection, GraphInspection) else "tflite"
    return {"schema_version": SCHEMA_VERSION, "kind": kind, **encode(inspection)}
