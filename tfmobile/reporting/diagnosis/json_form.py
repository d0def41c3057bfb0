"""A diagnosis as one JSON document."""

from __future__ import annotations

from typing import Any

from tfmobile.artifacts import Diagnosis
from tfmobile.reporting.plain import plain

SCHEMA_VERSION = 1
"""Raised when a field changes its meaning; new fields may come at any time."""


def to_json(found: Diagnosis) -> dict[str, Any]:
    """All of it under the names of the artifact, as values that ``json.dumps(..., allow_nan=False)`` accepts."""
    facts: dict[str, Any] = plain(found)
    return {"schema_version": SCHEMA_VERSION, **facts}
