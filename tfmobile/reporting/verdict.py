"""Everything the report says in words: one headline, a verdict a card, and the warnings that must not be missed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tfmobile.artifacts import Report
from tfmobile.reporting import formatting
from tfmobile.reporting.accuracy_verdict import judge_accuracy
from tfmobile.reporting.judgement import Tone, Verdict, judge_latency, judge_size
from tfmobile.reporting.selection import ORIGINAL, accuracy_of, setting

CHANCE = 1.5
"""An original that is right less than 1.5 times as often as guessing points to wrong preprocessing or labels."""
MIN_SAMPLES_FOR_CHANCE = 50


@dataclass(frozen=True)
class Caveat:
    """Something to know before shipping. ``tone`` is caution or bad."""

    tone: Tone
    text: str


@dataclass(frozen=True)
class Verdicts:
    """All words of one report."""

    headline: str
    tone: Tone
    size: Verdict
    latency: Verdict
    accuracy: Verdict
    warnings: tuple[Caveat, ...]


def verdicts(report: Report) -> Verdicts:
    """Judge a whole report."""
    size = judge_size(report.original, report.optimized)
    latency = judge_latency(report.latency)
    accuracy = judge_accuracy(report.evaluation)
    found = warnings(report)
    tone = _overall([size, latency, accuracy], found)
    return Verdicts(headline(size, latency, accuracy), tone, size, latency, accuracy, found)


def headline(size: Verdict, latency: Verdict, accuracy: Verdict) -> str:
    """One sentence: what got better, ``but`` what got worse, what stayed, and what was not measured."""
    parts = [size, latency, accuracy]
    better = [one.clause for one in parts[:2] if one.tone == "good"]
    if accuracy.tone == "good" and accuracy.words.startswith("gains"):
        better.append(accuracy.clause)
    worse = [one.clause for one in parts if one.tone in ("caution", "bad") and one.clause]
    same = [one.clause for one in parts if one.tone in ("good", "neutral") and one.clause not in better]
    unknown = [one.clause for one in parts if one.tone == "unknown" and one.clause]
    text = formatting.listed(better)
    if worse:
        text = f"{text}, but {formatting.listed(worse)}" if text else formatting.listed(worse)
    if same:
        text = f"{text}, with {formatting.listed(same)}" if text else formatting.listed(same)
    if unknown:
        verb = "was" if len(unknown) == 1 else "were"
        text = f"{text}; {formatting.listed(unknown)} {verb} not measured" if text else "nothing was measured"
    return f"{text[:1].upper()}{text[1:]}."


def warnings(report: Report) -> tuple[Caveat, ...]:
    """The worst first."""
    found = [*_calibration(report), *_load_test(report), *_chance(report), *_refused(report)]
    found += [*_left_float(report), *_not_converged(report)]
    return tuple(sorted(found, key=lambda one: one.tone != "bad"))


def op_counts(report: Report) -> Counter[str]:
    """Operators of the optimized model by kind."""
    return Counter(op.kind for op in report.optimized.ops)


def _overall(parts: list[Verdict], found: tuple[Caveat, ...]) -> Tone:
    tones = {one.tone for one in parts}
    if "bad" in tones or any(one.tone == "bad" for one in found):
        return "bad"
    if "caution" in tones:
        return "caution"
    return "good" if "good" in tones else "neutral"


def _calibration(report: Report) -> list[Caveat]:
    if report.calibration is None or not report.calibration.random:
        return []
    return [
        Caveat(
            "bad",
            "Calibrated on random numbers, not on your data: on real inputs the accuracy may be lost. "
            "Do not ship this model; run again with --data or --calibrate-with and real samples.",
        )
    ]


def _load_test(report: Report) -> list[Caveat]:
    if report.load_test.outputs_finite:
        return []
    return [Caveat("bad", "The optimized model gives NaN or infinite outputs. Do not ship it.")]


def _chance(report: Report) -> list[Caveat]:
    evaluation = report.evaluation
    model = accuracy_of(evaluation, ORIGINAL)
    if evaluation is None or model is None or model.top1 is None:
        return []
    classes = max(len(model.per_class), len(evaluation.class_names))
    if classes < 2 or evaluation.samples < MIN_SAMPLES_FOR_CHANCE or model.top1.value > CHANCE / classes:
        return []
    return [
        Caveat(
            "bad",
            f"The original model itself is right on only {formatting.percent(model.top1.value)} of the samples, about "
            "as often as guessing: check --mean, --std, --color and --label-offset before trusting any number here.",
        )
    ]


def _refused(report: Report) -> list[Caveat]:
    steps = report.rewrite.steps if report.rewrite is not None else ()
    return [
        Caveat("caution", f"The pass '{step.name}' was refused and changed nothing: {_refusal(step.reason)}")
        for step in steps
        if step.refused
    ]


def _refusal(reason: str) -> str:
    return reason.rstrip(".") + "." if reason else "its result differed from the original by more than the tolerance."


def _left_float(report: Report) -> list[Caveat]:
    left = report.optimized.left_float
    if not left or not any(op.kind == "integer" for op in report.optimized.ops):
        return []
    kinds = Counter(op.op for op in left)
    names = formatting.listed(f"{name} ({number})" if number > 1 else name for name, number in kinds.items())
    stayed = "operator still computes" if len(left) == 1 else "operators still compute"
    return [Caveat("caution", f"{len(left)} {stayed} in float: {names}.")]


def _not_converged(report: Report) -> list[Caveat]:
    rows = report.latency.rows if report.latency is not None else ()
    open_ended = [f"{row.name} ({setting(row.threads, row.xnnpack)})" for row in rows if not row.converged]
    notes = (*report.notes, *(report.latency.notes if report.latency is not None else ()))
    if not open_ended or any("--latency-budget" in note for note in notes):  # the benchmark has said so, with numbers
        return []
    shown = open_ended[:3] + ([f"{len(open_ended) - 3} more"] if len(open_ended) > 3 else [])
    return [
        Caveat(
            "caution",
            "The time budget ended before the median was certain: "
            f"{formatting.listed(shown)}. Give more time with --latency-budget.",
        )
    ]
