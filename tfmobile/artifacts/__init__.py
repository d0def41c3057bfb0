"""The nouns that flow through the line. All frozen; numbers carry their unit in the name."""

from __future__ import annotations

from tfmobile.artifacts.diagnosis import Diagnosis, Finding, LayerDiagnosis, ScalingTrial
from tfmobile.artifacts.improvement import Fidelity, Improvement, ImprovementStep
from tfmobile.artifacts.measures import (
    ChangedSample,
    ClassAccuracy,
    Comparison,
    Evaluation,
    FloatCost,
    FloatCosts,
    Interval,
    Latency,
    LatencyRow,
    ModelAccuracy,
    OpLatencies,
    OpLatency,
    Ratio,
)
from tfmobile.artifacts.report import Report, StepFact
from tfmobile.artifacts.search import Allowance, Loss, Search, SearchTrial
from tfmobile.artifacts.source import FeedChange, PassResult, Rewrite, RewriteStep, SourceModel, Transformation
from tfmobile.artifacts.statistics import Statistics, TensorStatistics
from tfmobile.artifacts.tflite import (
    Calibration,
    Difference,
    LayerError,
    LoadTest,
    NamedModel,
    OpFact,
    Preflight,
    Sample,
    SizeFact,
    TensorFact,
    TFLiteModel,
)

__all__ = [
    "Allowance",
    "Calibration",
    "ChangedSample",
    "ClassAccuracy",
    "Comparison",
    "Diagnosis",
    "Difference",
    "Evaluation",
    "FeedChange",
    "Fidelity",
    "Finding",
    "FloatCost",
    "FloatCosts",
    "Improvement",
    "ImprovementStep",
    "Interval",
    "Latency",
    "LatencyRow",
    "LayerDiagnosis",
    "LayerError",
    "LoadTest",
    "Loss",
    "ModelAccuracy",
    "NamedModel",
    "OpFact",
    "OpLatencies",
    "OpLatency",
    "PassResult",
    "Preflight",
    "Ratio",
    "Report",
    "Rewrite",
    "RewriteStep",
    "Sample",
    "ScalingTrial",
    "Search",
    "SearchTrial",
    "SizeFact",
    "SourceModel",
    "Statistics",
    "StepFact",
    "TFLiteModel",
    "TensorFact",
    "TensorStatistics",
    "Transformation",
]
