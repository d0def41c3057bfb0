"""What each stage did: steps with their time, passes with their proof, calibration, differences, load test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfmobile.artifacts import Report, RewriteStep, StepFact
from tfmobile.reporting import formatting
from tfmobile.reporting.json_report import scalars
from tfmobile.reporting.plain import plain
from tfmobile.reporting.views.cards import sentence
from tfmobile.reporting.views.table import Table, table

MOST_LINES = 60


@dataclass(frozen=True)
class StepView:
    """One line of the timeline; ``facts`` are name and value."""

    name: str
    seconds: str
    state: str
    share: int
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PassView:
    """One pass; ``changed`` and ``skipped`` are its sentences, cut to MOST_LINES."""

    name: str
    refused: bool
    tone: str
    words: str
    summary: str
    proof: str
    reason: str
    changed: tuple[str, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class StagesView:
    """Everything of the section."""

    steps: tuple[StepView, ...]
    total: str
    passes: tuple[PassView, ...]
    differences: Table
    load_test: str
    calibration: tuple[str, ...]
    calibration_random: bool


def stages_view(report: Report) -> StagesView:
    """In the order of the run."""
    longest = max((step.seconds for step in report.steps if not step.reused), default=0.0)
    fresh = sum(step.seconds for step in report.steps if not step.reused)
    calibration = report.calibration
    return StagesView(
        steps=tuple(_step(step, longest) for step in report.steps),
        total=formatting.seconds(fresh),
        passes=tuple(_pass(step) for step in report.rewrite.steps) if report.rewrite is not None else (),
        differences=_differences(report),
        load_test=_load_test(report),
        calibration=_calibration(report),
        calibration_random=calibration is not None and calibration.random,
    )


def _step(step: StepFact, longest: float) -> StepView:
    facts = {**scalars(plain(step.options)), **scalars(plain(step.facts))}
    share = 0 if step.reused or longest <= 0 else max(1, round(100 * step.seconds / longest))
    state = "reused" if step.reused else "done now"
    return StepView(step.name, formatting.seconds(step.seconds), state, share, _pairs(facts))


def _pairs(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key.replace("_", " "), _value(value)) for key, value in facts.items() if value not in (None, ""))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return formatting.small(value)
    return str(value)


def _pass(step: RewriteStep) -> PassView:
    proof = (
        f"largest difference {formatting.small(step.max_abs)} absolute, {formatting.small(step.max_rel)} relative "
        f"(tolerance {formatting.small(step.tolerance)}) on {formatting.count(step.samples, 'sample')}"
    )
    if step.max_abs is None and step.max_rel is None:
        proof = "difference not measured"
    tone, words = _outcome(step)
    first = f" First differing node: {step.first_difference}." if step.first_difference else ""
    if step.against != "the original":
        proof += f", against {step.against}"
    return PassView(
        name=step.call or step.name,
        refused=step.refused,
        tone=tone,
        words=words,
        summary=f"{step.nodes_before:,} → {step.nodes_after:,} nodes, {len(step.changed):,} changed, "
        f"{len(step.skipped):,} skipped, {formatting.seconds(step.seconds)}",
        proof=proof,
        reason=f"{sentence(step.reason)}{first}".strip() if step.reason else first.strip(),
        changed=_cut(step.changed),
        skipped=_cut(step.skipped),
    )


def _outcome(step: RewriteStep) -> tuple[str, str]:
    """Tone and words of the badge."""
    if step.refused:
        return "bad", "refused"
    if not step.changed and step.nodes_before == step.nodes_after:
        return "neutral", "nothing to do"
    measured = step.max_abs is not None or step.max_rel is not None
    if measured and not step.keeps_answer:
        return "neutral", "measured: may move the answer"
    return ("good", "verified") if measured else ("unknown", "not verified")


def _cut(lines: tuple[str, ...]) -> tuple[str, ...]:
    if len(lines) <= MOST_LINES:
        return lines
    return (*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES:,} more: see report.json")


def _differences(report: Report) -> Table:
    rows = [
        (
            one.what,
            f"{one.samples:,}",
            formatting.small(one.max_abs),
            formatting.small(one.max_rel),
            formatting.decibels(one.snr_db),
        )
        for one in report.differences
    ]
    heads = ("Outputs compared", "Samples", "Largest absolute", "Largest relative", "SNR")
    return table("Every new artifact against the original", heads, rows, range(1, 5))


def _load_test(report: Report) -> str:
    test = report.load_test
    finite = "all outputs finite" if test.outputs_finite else "outputs NaN or infinite"
    return (
        f"Loaded and run in a child process with {test.runtime}: start-up {formatting.milliseconds(test.init_ms)}, "
        f"{formatting.count(test.invocations, 'invocation')}, {finite}."
    )


def _calibration(report: Report) -> tuple[str, ...]:
    calibration = report.calibration
    if calibration is None:
        return ()
    what = "random numbers" if calibration.random else f"{formatting.count(calibration.samples, 'sample')}"
    ranges = f"{len(calibration.ranges):,} tensor ranges from {what} ({calibration.source})."
    return (f"{ranges} The order of the samples does not matter.", *calibration.notes)
