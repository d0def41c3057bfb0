"""The report as one JSON document. Its form is ``report.schema.json``; a change of meaning raises SCHEMA_VERSION."""

from __future__ import annotations

from typing import Any

from tfmobile.artifacts import Evaluation, Latency, Report
from tfmobile.reporting.plain import plain
from tfmobile.reporting.verdict import verdicts

SCHEMA_VERSION = 1


def to_json(report: Report) -> dict[str, Any]:
    """All facts of ``report`` and the verdicts, as values that ``json.dumps(..., allow_nan=False)`` accepts."""
    facts = plain(report)
    facts["steps"] = [_step(step) for step in facts["steps"]]
    return {"schema_version": SCHEMA_VERSION, "verdicts": plain(verdicts(report)), **facts}


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The result of ``evaluate`` alone; the form is ``$defs/Evaluation`` of the schema."""
    return {"schema_version": SCHEMA_VERSION, **plain(evaluation)}


def latency_json(latency: Latency) -> dict[str, Any]:
    """The result of ``benchmark`` alone; the form is ``$defs/Latency`` of the schema."""
    return {"schema_version": SCHEMA_VERSION, **plain(latency)}


def scalars(values: Any) -> dict[str, Any]:
    """The entries that are one short value: what a step stored for reuse is not repeated here."""
    return {key: value for key, value in values.items() if not isinstance(value, (dict, list))}


def _step(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "facts": scalars(step["facts"])}
