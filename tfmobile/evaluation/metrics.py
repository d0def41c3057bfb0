"""A metric of the user's own: ``module:callable``, called as metric(outputs, label) and returning a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfmobile.datasets.python_source import import_callable
from tfmobile.errors import DataError, UsageError
from tfmobile.graph.model import Array


def load_metric(reference: str) -> Callable[..., Any]:
    """The function that ``module:callable`` names; raises UsageError."""
    if ":" not in reference:
        raise UsageError(
            f"The metric '{reference}' is not written like module:callable.",
            fixes=["For a function psnr in quality.py: --metric quality:psnr"],
        )
    try:
        return import_callable(reference)
    except DataError as cause:
        raise UsageError(f"The metric {cause.what}", why=cause.why, fixes=cause.fixes) from cause


def apply_metric(
    function: Callable[..., Any], outputs: Mapping[str, Array], label: int | Array | None, name: str
) -> float:
    """The metric of one sample. ``outputs`` are real values by output name, with the batch dimension. Raises UsageError
    naming the sample when it fails or returns no number."""
    try:
        return float(function(dict(outputs), label))
    except Exception as cause:
        raise UsageError(
            f"The metric failed on '{name}'.",
            why=f"{type(cause).__name__}: {cause}",
            fixes=["It is called as metric(outputs, label), outputs by name, and must return one number."],
        ) from cause
