"""What was tried to bring the quantized model closer to the float one, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from tfmobile.artifacts import Fidelity, Improvement, ImprovementStep
from tfmobile.reporting import formatting
from tfmobile.reporting.views.table import Row, Table, table


@dataclass(frozen=True)
class Tried:
    """One improvement: its verdict in words, and its sentences."""

    name: str
    tone: str
    words: str
    reason: str
    changed: tuple[str, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class ImprovementView:
    """Everything of the section."""

    lead: str
    measures: Table
    tried: tuple[Tried, ...]
    notes: tuple[str, ...]


def improvement_view(improvement: Improvement) -> ImprovementView:
    """In the order in which they were tried."""
    return ImprovementView(
        lead=lead(improvement),
        measures=_measures(improvement),
        tried=tuple(_tried(step) for step in improvement.steps),
        notes=improvement.set_aside,
    )


def lead(improvement: Improvement) -> str:
    """``2 of 5 improvements kept, judged on 125 samples that nothing was fitted on.`` and the simulation's word."""
    kept = sum(step.kept for step in improvement.steps)
    tried = formatting.count(len(improvement.steps), "improvement")
    words = f"{kept} of {tried} kept, fitted on {formatting.count(improvement.fitted_on, 'sample')}"
    words += (
        f" and judged on {improvement.held_back} others." if improvement.held_back else "; there were none to judge on."
    )
    if improvement.simulation_agreement is not None:
        words += f" The simulation and the .tflite agree in {formatting.percent(improvement.simulation_agreement)}."
    return words


def summary(improvement: Improvement) -> str:
    """One line: what was kept, and how far it brought the model on samples that nothing was fitted on."""
    kept = [step for step in improvement.steps if step.kept]
    if not kept:
        return f"none of {formatting.count(len(improvement.steps), 'improvement')} helped"
    names = ", ".join(step.name for step in kept)
    measured = [step for step in kept if step.before is not None and step.after is not None]
    if not measured:
        return names
    return f"{names}: {_change(measured[0].before, measured[-1].after)} ({improvement.held_back} held-back samples)"


def _change(first: Fidelity | None, last: Fidelity | None) -> str:
    if first is None or last is None:
        return formatting.DASH
    if first.agreement is not None and last.agreement is not None:
        return f"agreement {formatting.percent(first.agreement)} → {formatting.percent(last.agreement)}"
    return f"noise {formatting.decibels(first.sqnr_db)} → {formatting.decibels(last.sqnr_db)}"


def _measures(improvement: Improvement) -> Table:
    rows = []
    for step in improvement.steps:
        before, after = (_cells(one) for one in (step.before, step.after))
        cells = (
            step.name,
            "kept" if step.kept else "dropped",
            *(f"{a} → {b}" for a, b in zip(before, after, strict=True)),
        )
        rows.append(Row((*cells, formatting.seconds(step.seconds)), "" if step.kept else "caution"))
    heads = ("Improvement", "", "Agreement", "KL, nats", "SQNR", "Took")
    return table("Improvements on held-back samples, before → after", heads, rows, [2, 3, 4, 5])


def _cells(one: Fidelity | None) -> tuple[str, str, str]:
    if one is None:
        return formatting.DASH, formatting.DASH, formatting.DASH
    agreement = formatting.DASH if one.agreement is None else formatting.percent(one.agreement)
    kl = formatting.DASH if one.kl is None else formatting.significant(one.kl, 2)
    return agreement, kl, formatting.decibels(one.sqnr_db)


def _tried(step: ImprovementStep) -> Tried:
    tone, words = ("good", "kept") if step.kept else ("neutral", "dropped")
    return Tried(step.name, tone, words, step.reason, step.changed, step.skipped)
