"""Which of many measurements the headline speaks of: optimized against original, in the first setting measured."""

from __future__ import annotations

from tfmobile.artifacts import Comparison, Evaluation, Latency, LatencyRow, ModelAccuracy, Ratio

ORIGINAL = "original"
OPTIMIZED = "optimized"


def main_comparison(evaluation: Evaluation | None) -> Comparison | None:
    """The comparison of ``optimized`` with the original, else the first one."""
    if evaluation is None or not evaluation.comparisons:
        return None
    named = [one for one in evaluation.comparisons if one.candidate == OPTIMIZED]
    return (named or list(evaluation.comparisons))[0]


def accuracy_of(evaluation: Evaluation | None, name: str) -> ModelAccuracy | None:
    """The model of that name, if it was evaluated."""
    models = evaluation.models if evaluation is not None else ()
    return next((model for model in models if model.name == name), None)


def compared(evaluation: Evaluation | None) -> tuple[ModelAccuracy | None, ModelAccuracy | None]:
    """The accuracies of the reference and the candidate of the main comparison."""
    comparison = main_comparison(evaluation)
    reference, candidate = (comparison.reference, comparison.candidate) if comparison else (ORIGINAL, OPTIMIZED)
    return accuracy_of(evaluation, reference), accuracy_of(evaluation, candidate)


def main_ratios(latency: Latency | None) -> tuple[Ratio, ...]:
    """Optimized against original, one a setting; all ratios when none has those names."""
    if latency is None:
        return ()
    named = [one for one in latency.ratios if (one.name, one.baseline) == (OPTIMIZED, ORIGINAL)]
    return tuple(named or latency.ratios)


def row_of(latency: Latency, name: str, threads: int, xnnpack: bool) -> LatencyRow | None:
    """The TFLite row of that model in that setting."""
    wanted = (name, "tflite", threads, xnnpack)
    return next((row for row in latency.rows if (row.name, row.runtime, row.threads, row.xnnpack) == wanted), None)


def main_rows(latency: Latency | None) -> tuple[LatencyRow | None, LatencyRow | None]:
    """Original and optimized in the setting of the headline."""
    if latency is None:
        return None, None
    ratios = main_ratios(latency)
    if ratios:
        one = ratios[0]
        return tuple(row_of(latency, name, one.threads, one.xnnpack) for name in (one.baseline, one.name))  # type: ignore[return-value]
    rows = [row for row in latency.rows if row.runtime == "tflite"]
    first = next((row for row in rows if row.name == ORIGINAL), None)
    second = next((row for row in rows if row.name == OPTIMIZED), None)
    return first, second


def setting(threads: int, xnnpack: bool) -> str:
    """``1 thread, XNNPACK on``."""
    return f"{threads} thread{'s' if threads != 1 else ''}, XNNPACK {'on' if xnnpack else 'off'}"


def class_name(evaluation: Evaluation, label: int | None) -> str:
    """The name of a class, else ``class 12``."""
    if label is None:
        return "no label"
    names = evaluation.class_names
    name = names[label] if 0 <= label < len(names) else ""
    return f"class {label}" if name in ("", str(label)) else name
