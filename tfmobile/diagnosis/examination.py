"""All checks of the data at once, for a model and its samples: what they need is measured here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import Finding, Sample, ScalingTrial, Statistics, TensorFact
from tfmobile.datasets.spec import Preprocessing
from tfmobile.datasets.stored import StoredSamples
from tfmobile.diagnosis.answers import answer_of, first_answers, probabilities
from tfmobile.diagnosis.data_checks import check_data
from tfmobile.diagnosis.data_evidence import DataEvidence
from tfmobile.diagnosis.preprocessing_check import check_preprocessing
from tfmobile.diagnosis.survey import Survey, survey
from tfmobile.graph.model import Array
from tfmobile.progress import Progress, silent

MOST_ASKED = 200
"""So many samples are answered by the float model to see which classes they cover."""
MOST_MEASURED = 100
"""So many evaluation samples are held against the calibrated ranges."""
STAGE = "check data"


@dataclass(frozen=True)
class Examination:
    """``scalings``: what the preprocessing check tried, the best first. ``findings``: by severity, the worst first."""

    scalings: tuple[ScalingTrial, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Asked:
    """The samples and how they are fed.

    ``fitted``: those that ranges were measured on, preprocessed; ``judged``: other ones. ``apart``: whether ``judged``
    come from another data set, so that drift between the two is looked for. ``stored``: a few dozen samples as they are
    stored, evenly spread (``spread_samples``), for the preprocessing check; none skips it. ``copies_removed``: how many
    calibration samples were left out as copies of others. ``label_offset``, ``class_names``, ``preprocessing``: as
    given. ``inputs``: of the float model.
    """

    fitted: StoredSamples
    judged: StoredSamples
    inputs: Sequence[TensorFact]
    apart: bool = False
    stored: Sequence[Sample] = ()
    preprocessing: Preprocessing = dataclasses.field(default_factory=Preprocessing)
    copies_removed: int = 0
    label_offset: int = 0
    class_names: tuple[str, ...] = ()


def examine(
    floating: bytes,
    asked: Asked,
    statistics: Statistics,
    judged_outputs: Sequence[Mapping[str, Array]],
    *,
    progress: Progress = silent,
) -> Examination:
    """Check preprocessing, samples, labels and ranges.

    ``floating``: the float .tflite, run in child processes. ``statistics``: of it over ``asked.fitted``.
    ``judged_outputs``: what it answers to ``asked.judged``, in that order. Raises what running the model raises.
    """
    progress(STAGE, 0, None)
    answer = answer_of(floating)
    scalings, wrong = check_preprocessing(answer, asked.stored, asked.preprocessing, asked.inputs)
    found = probabilities(judged_outputs) if scalings or any(_classes(asked.judged)) else None
    # What a model says to samples that reach it wrongly tells nothing about their classes.
    heard = None if wrong else found
    judged = _surveyed(asked.judged, "evaluation samples" if asked.apart else "held-back samples")
    if heard is not None:
        judged = dataclasses.replace(judged, predictions=first_answers(heard))
    fitted = dataclasses.replace(_surveyed(asked.fitted, "calibration samples"), copies_removed=asked.copies_removed)
    if heard is not None and not any(_classes(asked.fitted)):
        fitted = dataclasses.replace(fitted, predictions=_predictions(floating, asked.fitted))
    evidence = DataEvidence(
        calibration=fitted,
        evaluation=judged,
        statistics=statistics,
        evaluation_statistics=_measured(floating, asked.judged, progress) if asked.apart else None,
        classes=None if heard is None else heard.shape[1],
        class_names=asked.class_names,
        label_offset=asked.label_offset,
        preprocessing=asked.preprocessing,
        stored=_limits(asked.stored),
    )
    about_data = check_data(evidence)
    if any(one.cause == "preprocessing-mismatch" for one in wrong):
        about_data = tuple(one for one in about_data if one.cause != "normalized-twice")
    findings = sorted((*wrong, *about_data), key=lambda one: (-one.severity, one.cause))
    return Examination(scalings, tuple(findings))


def _classes(samples: StoredSamples) -> list[bool]:
    return [label is not None for label in samples.labels]


def _surveyed(samples: StoredSamples, what: str) -> Survey:
    rows = zip(samples.names, samples.labels, range(len(samples)), strict=True)
    return survey(((name, label, samples.feed(index)) for name, label, index in rows), what=what)


def _predictions(floating: bytes, samples: StoredSamples) -> Array:
    """What the float model says to up to MOST_ASKED samples, evenly spread; −1 for the others."""
    count = min(len(samples), MOST_ASKED)
    places = [index * len(samples) // count for index in range(count)] if count else []
    found = probabilities(answer_of(floating)([samples.feed(index) for index in places]))
    given = np.full(len(samples), -1, np.int64)
    if found is not None:
        given[places] = first_answers(found)
    return given


def _measured(floating: bytes, samples: StoredSamples, progress: Progress) -> Statistics:
    from tfmobile.quantization.statistics import measure_statistics

    count = min(len(samples), MOST_MEASURED)
    places = [index * len(samples) // count for index in range(count)] if count else []
    return measure_statistics(floating, samples.subset(places), progress=progress)


def _limits(samples: Sequence[Sample]) -> tuple[float, float] | None:
    """The smallest and the largest stored value."""
    values = [sample.values if isinstance(sample.values, tuple) else (*sample.values.values(),) for sample in samples]
    arrays = [np.asarray(array) for row in values for array in row if np.asarray(array).dtype.kind in "fiu"]
    arrays = [array for array in arrays if array.size]
    return (float(min(map(np.min, arrays))), float(max(map(np.max, arrays)))) if arrays else None
