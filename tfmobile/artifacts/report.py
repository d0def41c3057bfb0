"""All facts of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmobile.artifacts.improvement import Improvement
from tfmobile.artifacts.measures import Evaluation, Latency
from tfmobile.artifacts.search import Search
from tfmobile.artifacts.source import Rewrite, SourceModel
from tfmobile.artifacts.tflite import Calibration, Difference, LayerError, LoadTest, TFLiteModel


@dataclass(frozen=True)
class StepFact:
    """One step of a run, for the manifest and the report."""

    name: str
    seconds: float
    reused: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All facts of one run: what report.json, report.html and the terminal table are made from."""

    command: str
    created: str
    versions: Mapping[str, str]
    source: SourceModel
    recipe: Mapping[str, Any]
    target: str
    rewrite: Rewrite | None
    calibration: Calibration | None
    original: TFLiteModel
    optimized: TFLiteModel
    load_test: LoadTest
    differences: tuple[Difference, ...]
    layer_errors: tuple[LayerError, ...]
    evaluation: Evaluation | None
    latency: Latency | None
    preprocessing: Mapping[str, Any]
    steps: tuple[StepFact, ...]
    notes: tuple[str, ...]
    """What was not done or not measured, and why: shown, never hidden."""
    out: str
    improvement: Improvement | None = None
    search: Search | None = None
