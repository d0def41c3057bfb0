"""What a run leaves behind: report, card and manifest made from the facts, and published together with the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfmobile.artifacts import (
    Difference,
    Evaluation,
    Latency,
    LayerError,
    LoadTest,
    Report,
    Search,
    SourceModel,
    StepFact,
)
from tfmobile.codec import encode, finite
from tfmobile.fingerprint import versions
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.by_recipe import Quantized
from tfmobile.steps.command import reproduce
from tfmobile.steps.context import Context
from tfmobile.steps.model import Prepared
from tfmobile.targets import Target
from tfmobile.workspace import sha256

CARD_SCHEMA = 1
MANIFEST_SCHEMA = 1


def publish_report(
    context: Context,
    *,
    source: SourceModel,
    recipe: Recipe,
    target: Target,
    prepared: Prepared,
    quantized: Quantized,
    content: bytes,
    load_test: LoadTest,
    differences: tuple[Difference, ...],
    layer_errors: tuple[LayerError, ...],
    evaluation: Evaluation | None,
    latency: Latency | None,
    search: Search | None = None,
    created: str,
) -> Report:
    """Build the report and publish everything; raises OutputError."""
    from tfmobile.quantization import recipe_names
    from tfmobile.quantization.backends.precision import with_reasons
    from tfmobile.reporting import to_html, to_json
    from tfmobile.runtime import describe
    from tfmobile.targets import preflight

    optimized = with_reasons(describe(content, recipe=recipe.name, backend=recipe.backend), recipe.precision)
    check = preflight(optimized, target, recipe.name if recipe.name in recipe_names() else "")
    context.note(*(f"Target {target.name}: {problem}" for problem in check.problems))
    context.note(*optimized.notes)
    report = Report(
        command=reproduce(context.asked or context.plan, context.trust, evaluation is not None, latency is not None),
        created=created,
        versions=dict(versions()),
        source=source,
        recipe=encode(recipe),
        target=target.name,
        rewrite=prepared.rewrite,
        calibration=quantized.calibration,
        improvement=quantized.improvement,
        original=describe(prepared.original, recipe="float32", backend="none"),
        optimized=optimized,
        load_test=load_test,
        differences=differences,
        layer_errors=layer_errors,
        evaluation=evaluation,
        latency=latency,
        preprocessing=_preprocessing(context),
        steps=tuple(context.workspace.steps),
        notes=tuple(context.notes),
        out=str(context.workspace.out),
        search=search,
    )
    files = {
        "model.tflite": content,
        "card.json": _json(card(report)),
        "report.json": _json(to_json(report)),
        "report.html": to_html(report).encode(),
        "manifest.json": _json(manifest(report)),
    }
    if prepared.rewrite is not None:
        from tfmobile.graph.graphdef import serialize

        files["frozen.pb"] = serialize(prepared.rewrite.graph)
    context.workspace.publish(files)
    return report


def card(report: Report) -> dict[str, Any]:
    """What an app needs to use the model: the preprocessing contract, tensors, labels, and what was measured."""
    model, evaluation, latency = report.optimized, report.evaluation, report.latency
    return {
        "schema_version": CARD_SCHEMA,
        "name": Path(report.source.path).stem,
        "model": {
            "file": "model.tflite",
            "sha256": sha256(model.content),
            "size_bytes": model.size.total_bytes,
        },
        "source": {
            "format": report.source.format,
            "summary": report.source.summary,
            "sha256": report.source.sha256,
            "signature": report.source.signature,
        },
        "preprocessing": dict(report.preprocessing),
        "inputs": encode(model.inputs),
        "outputs": encode(model.outputs),
        "labels": list(evaluation.class_names) if evaluation else [],
        "quantization": {
            "recipe": model.recipe,
            "backend": model.backend,
            "left_float": encode(model.left_float),
        },
        "target": report.target,
        "accuracy": _accuracy(evaluation),
        "size": encode(model.size),
        "latency": _latency(latency),
        "versions": dict(report.versions),
    }


def manifest(report: Report) -> dict[str, Any]:
    """Each step with its options, input hashes, duration and facts, in order."""
    return {
        "schema_version": MANIFEST_SCHEMA,
        "created": report.created,
        "command": report.command,
        "source": {"path": report.source.path, "sha256": report.source.sha256},
        "model": {"file": "model.tflite", "sha256": sha256(report.optimized.content)},
        "versions": dict(report.versions),
        "differences": encode(report.differences),
        "steps": [_step(step) for step in report.steps],
    }


def _step(step: StepFact) -> dict[str, Any]:
    """A step with its single facts; what is long is in report.json."""
    row: dict[str, Any] = encode(step)
    return {**row, "facts": {key: value for key, value in row["facts"].items() if not isinstance(value, (list, dict))}}


def _accuracy(evaluation: Evaluation | None) -> Any:
    if evaluation is None:
        return None
    comparisons = [
        {key: value for key, value in encode(item).items() if key != "changed"} for item in evaluation.comparisons
    ]
    models = [
        {key: value for key, value in encode(item).items() if key not in ("per_class", "confusion")}
        for item in evaluation.models
    ]
    return {
        "task": evaluation.task,
        "samples": evaluation.samples,
        "models": models,
        "comparisons": comparisons,
    }


def _latency(latency: Latency | None) -> Any:
    if latency is None:
        return None
    rows = [{key: value for key, value in encode(row).items() if key != "times_ms"} for row in latency.rows]
    return {
        "host": dict(latency.host),
        "inputs": latency.inputs,
        "rows": rows,
        "ratios": encode(latency.ratios),
    }


def _preprocessing(context: Context) -> dict[str, Any]:
    from tfmobile.datasets.preprocessing import describe

    settings = context.plan.preprocessing
    return {**encode(settings), "summary": describe(settings)}


def _json(value: Any) -> bytes:
    return (json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
