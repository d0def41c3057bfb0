"""Accuracy of .tflite models on data, with confidence intervals, each against the first on the same samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmobile.evaluation.evaluation import evaluate as evaluate


def __getattr__(name: str) -> Any:
    # The workers import this package too, and start faster without the parent's half of it.
    if name == "evaluate":
        from tfmobile.evaluation.evaluation import evaluate

        return evaluate
    raise AttributeError(name)
