"""Whether the samples reach the model as it was trained on them: the common scalings, tried on the float model.

A network that gets another range or colour order than it was trained on gives the same answer to everything, or shrugs.
Both show in the *information* of its answers (see ``answers.information``), without labels; confidence alone does not,
since a network fed too large values is very sure of nonsense. All trials run on the same samples, so they are compared
in pairs (Student's t of the differences). With labels, what the model gives the right class is compared too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import Finding, Sample, ScalingTrial, TensorFact
from tfmobile.datasets import Dataset, feed, preprocess
from tfmobile.datasets.spec import Preprocessing
from tfmobile.diagnosis.answers import Answer, first_answers, information, paired_t, probabilities
from tfmobile.diagnosis.scalings import Candidate, advice, candidates, typed, unit_of
from tfmobile.diagnosis.signs import percent
from tfmobile.graph.model import Array

ENOUGH, MORE = 48, 128
"""Samples on which a wrong colour order shows in networks that hardly mind it: large pictures, and small ones."""
SMALL = 20_000
"""Values of a small sample: networks for them are quick, and less sure of their answers."""
SURE_T = 3.0
SAME_ANSWERS = 0.9
"""Two scalings with so many answers in common are as good as each other: one is only surer."""
LOUDER = 2.5
"""Larger values make the answers of most networks surer, right or not: then being surer is no evidence by itself."""
SILENT = 0.05
"""Information below this part of what is possible is none."""
CALL_BYTES = 48_000_000


@dataclass(frozen=True, eq=False)
class Trial:
    """What the float model answers to a candidate. ``number``: its place among them. ``found`` [samples, classes].

    ``spread``: standard deviation of the input.
    """

    number: int
    candidate: Candidate
    found: Array
    finite: bool
    spread: float
    information: Array
    of_label: Array
    """Probability of the right class [samples]; empty without labels."""
    accuracy: float | None

    @property
    def mean_information(self) -> float:
        return float(self.information.mean()) if self.finite else -math.inf


def spread_samples(dataset: Dataset, count: int | None = None) -> list[Sample]:
    """``count`` samples, evenly over the whole set, as they are stored; without it, as many as tell: 48 or 128."""
    total = len(dataset)
    if count is None:
        first = dataset.read(0).values
        arrays = first if isinstance(first, tuple) else tuple(first.values())
        count = MORE if sum(np.asarray(array).size for array in arrays) <= SMALL else ENOUGH
    wanted = min(count, total)
    return [dataset.read(index * total // wanted) for index in range(wanted)]


def check_preprocessing(
    answer: Answer, samples: Sequence[Sample], preprocessing: Preprocessing, inputs: Sequence[TensorFact]
) -> tuple[tuple[ScalingTrial, ...], tuple[Finding, ...]]:
    """Try the common scalings on the float model; all trials, the best first, and what is wrong with the present one.

    ``answer``: the float model (``answers.answer_of(floating)``). ``samples``: as they are stored, 48 or more, spread
    over the set (``spread_samples``); integer labels are used when all have one. ``preprocessing``: the present one;
    crop, resize and layout stay. ``inputs``: of the float model.

    Findings: ``preprocessing-mismatch`` (another scaling is clearly better), ``channel-order`` (it only exchanges red
    and blue), ``model-at-chance`` (no scaling gives answers that tell samples apart). No trials where they would say
    nothing: several inputs or outputs, fewer than 8 samples, or an output that is no classes.
    """
    if len(inputs) != 1 or len(samples) < 8:
        return (), ()
    bases = [_base(sample, preprocessing) for sample in samples]
    labels = _labels(samples)
    options = candidates(preprocessing, unit_of(samples), _channels(bases))
    trials = _try_all(answer, bases, labels, options, inputs)
    if not trials:
        return (), ()
    use_labels = labels is not None and _above_chance(trials, labels)
    ranked = sorted(trials, key=lambda trial: _rank(trial, use_labels), reverse=True)
    findings = _judge(trials[0], ranked, use_labels)
    return tuple(_shown(trial) for trial in ranked), findings


def _base(sample: Sample, plan: Preprocessing) -> Sample:
    """The sample after what all candidates have in common: crop, resize, gray."""
    first = dataclasses.replace(
        plan, mean=(), std=(), layout="nhwc", color=plan.color if plan.color == "gray" else None
    )
    values = preprocess(sample.values, first, sample.name)
    arrays = tuple(values.values()) if isinstance(values, dict) else values
    return Sample(sample.name, arrays, sample.label)


def _channels(bases: Sequence[Sample]) -> int:
    """Channels of the samples if all are pictures of the same number of channels, else 0."""
    shapes = {np.asarray(value).shape for base in bases for value in base.values}
    counts = {shape[2] if len(shape) == 3 else 1 if len(shape) == 2 else 0 for shape in shapes}
    return counts.pop() if counts in ({1}, {3}) else 0


def _labels(samples: Sequence[Sample]) -> Array | None:
    if not all(isinstance(sample.label, (int, np.integer)) for sample in samples):
        return None
    return np.array([sample.label for sample in samples], np.int64)


def _try_all(
    answer: Answer,
    bases: Sequence[Sample],
    labels: Array | None,
    options: Sequence[Candidate],
    inputs: Sequence[TensorFact],
) -> list[Trial]:
    """One trial a candidate, several in one call where they are small; none where the outputs are no classes."""
    trials: list[Trial] = []
    waiting: list[tuple[Candidate, list[dict[str, Array]]]] = []
    for option in options:
        waiting.append((option, _feeds(bases, option, inputs)))
        sizes = [sum(value.nbytes for value in feed.values()) for _, feeds in waiting for feed in feeds]
        if sum(sizes) < CALL_BYTES and option is not options[-1]:
            continue
        outputs = list(answer([feed for _, feeds in waiting for feed in feeds]))
        for place, (tried, feeds) in enumerate(waiting):
            trial = _trial(len(trials), tried, feeds, outputs[place * len(bases) : (place + 1) * len(bases)], labels)
            if trial is None:
                return []
            trials.append(trial)
        waiting.clear()
    return trials


def _feeds(bases: Sequence[Sample], option: Candidate, inputs: Sequence[TensorFact]) -> list[dict[str, Array]]:
    plan = dataclasses.replace(option.preprocessing, central_crop=None, resize=())
    if plan.color == "gray":
        plan = dataclasses.replace(plan, color=None)
    return [feed(_standardized(base) if option.per_sample else base, plan, inputs) for base in bases]


def _trial(
    number: int,
    option: Candidate,
    feeds: Sequence[Mapping[str, Array]],
    outputs: Sequence[Mapping[str, Array]],
    labels: Array | None,
) -> Trial | None:
    """None where the outputs are no classes."""
    found = probabilities(outputs)
    size = sum(value.size for value in feeds[0].values())
    if found is None or found.shape[1] == size:  # an autoencoder gives back what it gets
        return None
    finite = bool(np.isfinite(found).all())
    spread = math.sqrt(sum(float(np.var(value)) for one in feeds for value in one.values()) / len(feeds))
    if labels is None or not finite or labels.min() < 0 or labels.max() >= found.shape[1]:
        return Trial(number, option, found, finite, spread, information(found), np.zeros(0), None)
    of_label = found[np.arange(len(labels)), labels]
    accuracy = float((first_answers(found) == labels).mean())
    return Trial(number, option, found, finite, spread, information(found), of_label, accuracy)


def _standardized(base: Sample) -> Sample:
    """(x − mean) / deviation of the sample itself, as tf.image.per_image_standardization does it."""
    arrays = [np.asarray(value, np.float32) for value in base.values]
    least = [1 / math.sqrt(max(1, array.size)) for array in arrays]
    done = [(array - array.mean()) / max(float(array.std()), low) for array, low in zip(arrays, least, strict=True)]
    return dataclasses.replace(base, values=tuple(done))


def _above_chance(trials: Sequence[Trial], labels: Array) -> bool:
    """Whether the labels fit the model under any scaling: otherwise they say nothing about scalings."""
    known = [trial.accuracy for trial in trials if trial.accuracy is not None]
    if not known or len(set(labels.tolist())) < 2:
        return False
    chance = max(np.bincount(labels)) / len(labels)
    return bool(max(known) > chance + 3 * math.sqrt(chance * (1 - chance) / len(labels)))


def _rank(trial: Trial, use_labels: bool) -> tuple[float, float]:
    score = float(trial.of_label.mean()) if use_labels and trial.of_label.size else 0.0
    return (score if trial.finite else -1.0), trial.mean_information


def _judge(present: Trial, ranked: Sequence[Trial], use_labels: bool) -> tuple[Finding, ...]:
    possible = math.log(min(len(present.found), present.found.shape[1]))
    most = max(trial.mean_information for trial in ranked)
    if most < SILENT * possible:
        return (_at_chance(present, ranked, most, possible),)
    better = [trial for trial in ranked if _beats(trial, present, use_labels)]
    if not better:
        return ()
    equals = [trial for trial in better if trial is better[0] or _as_good(trial, better[0], use_labels)]
    # Of equals the smallest change: only the colour order, else the scaling that comes first in the table.
    order = [trial for trial in ranked if trial is not present]
    order.sort(key=lambda trial: (not _only_color(present, trial), trial.number))
    first, *others = [trial for trial in order if trial in equals]
    return (_mismatch(present, first, others, possible, use_labels),)


def _beats(other: Trial, present: Trial, use_labels: bool) -> bool:
    """Whether ``other`` is clearly better than ``present``: not by chance, and not only by being surer."""
    if other is present or not other.finite:
        return False
    if not present.finite:
        return True
    same = first_answers(other.found) == first_answers(present.found)
    if float(same.mean()) >= SAME_ANSWERS:
        return False
    told = paired_t(other.information, present.information)
    if use_labels and other.accuracy is not None and present.accuracy is not None:
        right = paired_t(other.of_label, present.of_label)
        gain = other.accuracy - present.accuracy
        return gain > 0.02 and right > 0 and max(right, told) >= SURE_T
    louder = other.spread > LOUDER * present.spread
    if louder or len(present.found) < 16:
        return told >= SURE_T and present.mean_information <= 0.5 * other.mean_information
    return bool(told >= SURE_T)


def _as_good(trial: Trial, best: Trial, use_labels: bool) -> bool:
    """Whether ``best`` is better by chance only, or hardly."""
    ours, theirs = (trial.of_label, best.of_label) if use_labels else (trial.information, best.information)
    same = first_answers(trial.found) == first_answers(best.found)
    return paired_t(theirs, ours) < 2 or (float(same.mean()) >= 0.95 and ours.mean() > 0.98 * theirs.mean())


def _only_color(present: Trial, other: Trial) -> bool:
    """Whether the two differ in nothing but red and blue."""
    now, then = present.candidate.preprocessing, other.candidate.preprocessing
    same = now.mean == then.mean[::-1] and now.std == then.std[::-1] and not other.candidate.per_sample
    return same and (now.color == "bgr") != (then.color == "bgr")


def _mismatch(present: Trial, best: Trial, equals: Sequence[Trial], possible: float, use_labels: bool) -> Finding:
    share = max(0.0, present.mean_information) / best.mean_information
    severity = 0.5 + 0.5 * (1 - share)
    if use_labels and best.accuracy is not None and present.accuracy is not None:
        severity = max(severity, 0.5 + best.accuracy - present.accuracy)
    names = ", ".join(f"'{trial.candidate.name}'" for trial in equals[:2])
    fix = _fix(best.candidate, present.candidate.preprocessing) + (
        f" As good on these samples: {names}." if names else ""
    )
    return Finding(
        cause="channel-order" if _only_color(present, best) else "preprocessing-mismatch",
        about="data",
        where="",
        what=f"On {len(present.found)} samples the float model does clearly better on samples fed another way: now "
        f"({present.candidate.name}) {_told(present, possible)}; {best.candidate.name} {_told(best, possible)}.",
        fix=fix,
        severity=round(min(1.0, severity), 2),
    )


def _told(trial: Trial, possible: float) -> str:
    if not trial.finite:
        return "gives NaN or infinity"
    sure = float(trial.found.max(axis=1).mean())
    right = "" if trial.accuracy is None else f", {percent(trial.accuracy)} right"
    told = f"{max(0.0, trial.mean_information):.2f} of {possible:.2f} nats about the sample"
    return f"gives {told}, {percent(sure)} confidence{right}"


def _fix(best: Candidate, now: Preprocessing) -> str:
    if best.per_sample:
        return "Store the samples standardized, each by its own mean and deviation: tfmobile has no option for it."
    return advice(best.preprocessing, now)


def _at_chance(present: Trial, ranked: Sequence[Trial], most: float, possible: float) -> Finding:
    return Finding(
        cause="model-at-chance",
        about="model",
        where="",
        what=f"The float model itself tells samples apart by no more than {max(0.0, most):.2f} of {possible:.2f} nats, "
        f"under each of {len(ranked)} common scalings; now ({present.candidate.name}) it {_told(present, possible)}.",
        fix="Check that the model is trained, that these are samples of its kind and size, and how they are stored; "
        "compare with the answers of the program that trained it.",
        severity=0.9,
    )


def _shown(trial: Trial) -> ScalingTrial:
    option = trial.candidate
    plan = option.preprocessing
    return ScalingTrial(
        name=option.name,
        mean=plan.mean,
        std=plan.std,
        color=plan.color or "",
        confidence=float(trial.found.max(axis=1).mean()) if trial.finite else 0.0,
        information=float(trial.information.mean()) if trial.finite else 0.0,
        accuracy=trial.accuracy,
        finite=trial.finite,
        present=option.present,
        options="" if option.per_sample else typed(plan),
    )
