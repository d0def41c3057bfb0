"""What ``diagnose`` does after the float model is there: quantize, answer, compare layers, check the data."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfmobile.artifacts import (
    Calibration,
    Diagnosis,
    Fidelity,
    Finding,
    Improvement,
    SourceModel,
    Statistics,
    TensorFact,
)
from tfmobile.datasets.stored import StoredSamples, store
from tfmobile.errors import UnsupportedError, VerificationError
from tfmobile.graph.model import Array
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.context import Context, feeds_at
from tfmobile.steps.improved import improve, wants_statistics
from tfmobile.steps.model import Prepared
from tfmobile.steps.samples import CalibrationSamples
from tfmobile.steps.tensor_statistics import measure

if TYPE_CHECKING:
    from tfmobile.diagnosis import Explanation
    from tfmobile.diagnosis.examination import Examination

LEAST = 0.02
"""Findings below this severity are not worth a line."""
MOST_ANSWERS = 200
"""So many samples are answered by the float and the quantized model."""


@dataclass(frozen=True)
class Made:
    """A quantized model, and the float one that it was made from."""

    content: bytes
    floating: bytes
    improvement: Improvement | None = None

    @property
    def kept(self) -> tuple[str, ...]:
        """The improvements that helped."""
        return tuple(step.name for step in self.improvement.steps if step.kept) if self.improvement else ()


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
    """Quantize the prepared model by ``recipe`` and find out what that does to it, and why.

    Layers are those of the model that ranges alone make: what quantization does to each of them shows there, and what
    the recipe's improvements do about it shows in the answers.
    """
    from tfmobile.diagnosis import explain, headline, remaining, tied
    from tfmobile.quantization.fidelity import fidelity

    started = time.perf_counter()
    with CalibrationSamples(context, inputs) as samples:
        statistics, _ = measure(context, prepared.floating, samples)
        plain = quantize_plainly(context, recipe, prepared, samples, statistics)
        made = quantize_by_recipe(context, recipe, prepared, inputs) or plain
        held = _held(context, inputs, samples)
        feeds = [held.feed(index) for index in range(len(held))]
        wanted = _answers(context, prepared.floating, feeds)
        found = _tried(context, plain.content, feeds)
        simple = fidelity(wanted, found, held.labels) if found else None
        total = simple if made is plain else _fidelity(context, made, feeds, wanted, held.labels)
        explained = explain(
            prepared.floating,
            plain.content,
            statistics,
            feeds,
            simple,
            recipe,
            kept=made.kept,
            graph=prepared.rewrite.graph if prepared.rewrite is not None else None,
            ties=tied(found),
            progress=context.progress,
        )
        left = explained.harm if made is plain else remaining(total, explained.rounding)
        examined = _examine(context, prepared, inputs, samples, held, statistics, wanted)
        findings = _sorted((*_scaled(explained, left), *examined.findings))
        context.note(*samples.notes, *samples.set_aside, *statistics.set_aside, *statistics.notes, *explained.notes)
        labelled = sum(label is not None for label in held.labels)
        aside = simple if made is not plain else None
        return Diagnosis(
            model=source.path,
            summary=source.summary,
            recipe=recipe.name,
            data=_data_words(context, samples),
            samples=len(statistics.samples),
            held_back=len(held),
            labelled=labelled,
            fidelity=total,
            findings=findings,
            layers=explained.layers,
            scalings=examined.scalings,
            notes=tuple(context.notes),
            seconds=time.perf_counter() - started,
            headline=headline(recipe.name, total, findings, explained.layers, left, simple=aside, labelled=labelled),
            layer_samples=explained.layer_samples,
            effect_samples=explained.effect_samples,
            simple=aside,
            improvement=made.improvement,
        )


def quantize_plainly(
    context: Context, recipe: Recipe, prepared: Prepared, samples: CalibrationSamples, statistics: Statistics
) -> Made:
    """By smallest and largest values, without any improvement."""
    from tfmobile.quantization import quantize

    ranges = {key: found.range for key, found in statistics.tensors.items()}
    calibration = Calibration(ranges, len(statistics.samples), samples.source)
    plain = dataclasses.replace(recipe, improve=(), ranges="min-max", precision={})
    return Made(quantize(prepared.floating, plain, calibration, io=context.plan.optimize.io), prepared.floating)


def quantize_by_recipe(
    context: Context, recipe: Recipe, prepared: Prepared, inputs: tuple[TensorFact, ...]
) -> Made | None:
    """With all that the recipe does beyond that; None when it does no more."""
    if not wants_statistics(recipe) and not recipe.precision:
        return None
    found = improve(context, recipe, prepared, inputs, context.plan.optimize.io)
    return Made(found.content, found.floating, found.improvement)


def _held(context: Context, inputs: tuple[TensorFact, ...], samples: CalibrationSamples) -> StoredSamples:
    """Samples that no range was measured on: those of --data, where calibration has its own, else held back ones."""
    plan = context.plan
    if plan.data.data is None or not _apart(context):
        return samples.held
    _, feeds = feeds_at(plan, plan.data.data, inputs, most=MOST_ANSWERS)
    return store(feeds, context.workspace.scratch("judged", samples.key))


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


def _fidelity(
    context: Context,
    made: Made,
    feeds: Sequence[Mapping[str, Array]],
    wanted: Sequence[Mapping[str, Array]],
    labels: Sequence[int | None],
) -> Fidelity | None:
    from tfmobile.quantization.fidelity import fidelity

    found = _tried(context, made.content, feeds)
    return fidelity(wanted, found, labels) if found else None


def _scaled(explained: Explanation, left: float) -> list[Finding]:
    """What is found in the layers of the plain model, as severe as what is ``left`` of its harm."""
    part = min(1.0, left / explained.harm) if explained.harm else 1.0
    found = [
        one if one.cause == "left-float" else dataclasses.replace(one, severity=round(one.severity * part, 4))
        for one in explained.findings
    ]
    return [one for one in found if one.severity >= LEAST]


def _examine(
    context: Context,
    prepared: Prepared,
    inputs: tuple[TensorFact, ...],
    samples: CalibrationSamples,
    held: StoredSamples,
    statistics: Statistics,
    wanted: Sequence[Mapping[str, Array]],
) -> Examination:
    """The checks of the data, on the float model; none on random numbers."""
    from tfmobile.diagnosis.examination import Asked, Examination, examine

    if samples.random:
        return Examination((), ())
    from tfmobile.datasets import open_dataset
    from tfmobile.diagnosis.preprocessing_check import spread_samples

    plan = context.plan
    shown = plan.data.data if plan.data.data not in (None, "random") else samples.source
    dataset = open_dataset(plan.data_spec(str(shown)))
    asked = Asked(
        fitted=samples.fit,
        judged=held,
        inputs=inputs,
        apart=_apart(context),
        stored=spread_samples(dataset),
        preprocessing=plan.preprocessing,
        copies_removed=samples.copies,
        label_offset=plan.data.label_offset,
        class_names=dataset.class_names,
    )
    return examine(prepared.floating, asked, statistics, wanted, progress=context.progress)


def _apart(context: Context) -> bool:
    """Whether the samples to judge on are a data set of their own."""
    return context.plan.data.data is not None and context.plan.data.data != context.plan.calibration_path


def _data_words(context: Context, samples: CalibrationSamples) -> str:
    data = context.plan.data.data
    return samples.source if data in (None, samples.source) else f"{data}, calibrated with {samples.source}"


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (-finding.severity, finding.cause, finding.where)))
