"""What ``diagnose`` does after the float model is there: quantize, answer, compare layers, check the data."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmobile.artifacts import (
    Calibration,
    Diagnosis,
    Finding,
    Improvement,
    SourceModel,
    Statistics,
    TensorFact,
)
from tfmobile.datasets.stored import StoredSamples, store
from tfmobile.errors import OutputError, UnsupportedError, UsageError, VerificationError
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.context import Context
from tfmobile.steps.improved import improve, wants_statistics
from tfmobile.steps.model import Prepared
from tfmobile.steps.samples import CalibrationSamples
from tfmobile.workspace import sha256

MOST_ANSWERS = 200
"""So many samples are answered by the float and the quantized model."""


@dataclass(frozen=True)
class Made:
    """A quantized model and what it was made from, ``statistics`` of ``floating`` among it."""

    content: bytes
    floating: bytes
    graph: Graph | None
    statistics: Statistics
    improvement: Improvement | None = None


def need_integers(recipe: Recipe) -> None:
    """Refuse a recipe that leaves activations float: there is nothing to explain layer by layer."""
    if recipe.activations != "float32":
        return
    raise UnsupportedError(
        f"The recipe {recipe.name} leaves activations in float, which diagnose has nothing to say about.",
        why="It explains what integer activations and weights do to each layer.",
        fixes=["--recipe int8", "tfmobile optimize measures what other recipes lose."],
    )


def diagnose(
    context: Context, recipe: Recipe, source: SourceModel, prepared: Prepared, inputs: tuple[TensorFact, ...]
) -> Diagnosis:
    """Quantize the prepared model by ``recipe`` and find out what that does to it, and why."""
    from tfmobile.diagnosis import explain, headline, tied
    from tfmobile.quantization.fidelity import fidelity

    started = time.perf_counter()
    with CalibrationSamples(context, inputs) as samples:
        plain = quantize_plainly(context, recipe, prepared, samples)
        made = quantize_by_recipe(context, recipe, prepared, inputs, samples) or plain
        held = _held(context, inputs, samples)
        feeds = [held.feed(index) for index in range(len(held))]
        wanted = _answers(context, prepared.floating, feeds)
        found = _tried(context, made.content, feeds)
        total = fidelity(wanted, found, held.labels) if found else None
        simple = None if made is plain else fidelity(wanted, _answers(context, plain.content, feeds), held.labels)
        explained = explain(
            made.floating,
            made.content,
            made.statistics,
            feeds,
            total,
            recipe,
            graph=made.graph,
            ties=tied(found),
            progress=context.progress,
        )
        findings = _sorted((*explained.findings, *_data_findings(context, prepared, samples, held, made)))
        labelled = sum(label is not None for label in held.labels)
        context.note(*samples.notes, *plain.statistics.set_aside, *explained.notes)
        return Diagnosis(
            model=source.path,
            summary=source.summary,
            recipe=recipe.name,
            data=_data_words(context, samples),
            samples=len(made.statistics.samples),
            held_back=len(held),
            labelled=labelled,
            fidelity=total,
            findings=findings,
            layers=explained.layers,
            notes=tuple(context.notes),
            seconds=time.perf_counter() - started,
            headline=headline(recipe.name, total, findings, explained.layers, explained.harm, labelled),
            layer_samples=explained.layer_samples,
            effect_samples=explained.effect_samples,
            simple=simple,
            improvement=made.improvement,
        )


def quantize_plainly(context: Context, recipe: Recipe, prepared: Prepared, samples: CalibrationSamples) -> Made:
    """By smallest and largest values, without any improvement."""
    from tfmobile.quantization import quantize

    graph = prepared.rewrite.graph if prepared.rewrite is not None else None
    statistics = measured(context, prepared.floating, samples)
    ranges = {key: found.range for key, found in statistics.tensors.items()}
    calibration = Calibration(ranges, len(statistics.samples), samples.source)
    plain = dataclasses.replace(recipe, improve=(), ranges="min-max", precision={})
    content = quantize(prepared.floating, plain, calibration, io=context.plan.optimize.io)
    return Made(content, prepared.floating, graph, statistics)


def quantize_by_recipe(
    context: Context, recipe: Recipe, prepared: Prepared, inputs: tuple[TensorFact, ...], samples: CalibrationSamples
) -> Made | None:
    """With all that the recipe does beyond that; None when it does no more."""
    if not wants_statistics(recipe) and not recipe.precision:
        return None
    found = improve(context, recipe, prepared, inputs, context.plan.optimize.io)
    statistics = measured(context, found.floating, samples)
    return Made(found.content, found.floating, found.graph, statistics, found.improvement)


def measured(context: Context, floating: bytes, samples: CalibrationSamples) -> Statistics:
    """Statistics of a float model over the samples to fit on; the same step as where a recipe needs them."""
    from tfmobile.quantization.statistics import measure_statistics
    from tfmobile.quantization.statistics_file import dump, load

    def compute() -> tuple[Mapping[str, bytes], Mapping[str, Any]]:
        found = measure_statistics(floating, samples.fit, progress=context.progress)
        return {"statistics.npz": dump(found)}, {"samples": len(found.samples), "set_aside": list(found.set_aside)}

    step = context.step("statistics", {"model": sha256(floating), "samples": samples.key}, compute)
    return load(step.blobs["statistics.npz"])


def _held(context: Context, inputs: tuple[TensorFact, ...], samples: CalibrationSamples) -> StoredSamples:
    """Samples that no range was measured on: those of --data, where calibration has its own, else held back ones."""
    plan = context.plan
    if plan.data.data is None or plan.data.data == plan.calibration_path:
        return samples.held
    from tfmobile.datasets import feed, open_dataset

    dataset = open_dataset(dataclasses.replace(plan.data_spec(plan.data.data), limit=_limit(plan.data.limit)))
    return store(
        (
            (
                sample.name,
                sample.label if isinstance(sample.label, int) else None,
                feed(sample, plan.preprocessing, inputs),
            )
            for _, sample in dataset.iterate()
        ),
        context.workspace.scratch("judged", samples.key),
    )


def _limit(given: int | None) -> int:
    return min(given or MOST_ANSWERS, MOST_ANSWERS)


def _answers(context: Context, content: bytes, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    from tfmobile import runtime

    context.progress("answer", 0, None)
    return runtime.run(content, feeds)


def _tried(context: Context, content: bytes, feeds: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """The answers; none when the runtime refuses the model, which a note says."""
    try:
        return _answers(context, content, feeds)
    except VerificationError as error:
        context.note(f"{error.what} {error.why}".strip())
        return []


def _data_findings(
    context: Context, prepared: Prepared, samples: CalibrationSamples, held: StoredSamples, made: Made
) -> tuple[Finding, ...]:
    return ()


def _data_words(context: Context, samples: CalibrationSamples) -> str:
    data = context.plan.data.data
    return samples.source if data in (None, samples.source) else f"{data}, calibrated with {samples.source}"


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (-finding.severity, finding.cause, finding.where)))


def check_out(out: str | None) -> Path | None:
    """Where the page goes; raises UsageError or OutputError before any work is done."""
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"The page cannot be written to '{out}'.", why="It is an HTML page.", fixes=["--out diagnosis.html"]
        )
    if not path.parent.is_dir() or path.is_dir():
        raise OutputError(
            f"The page cannot be written to '{out}'.",
            why=f"'{path.parent}' is no folder." if not path.is_dir() else "It is a folder.",
            fixes=["Choose another file with --out."],
        )
    return path


def write_page(found: Diagnosis, path: Path) -> None:
    """The diagnosis as one self-contained HTML page."""
    from tfmobile.reporting.diagnosis import to_html

    try:
        path.write_text(to_html(found), encoding="utf-8")
    except OSError as cause:
        raise OutputError(
            f"The page cannot be written to '{path}'.", why=str(cause), fixes=["Choose another file with --out."]
        ) from cause
