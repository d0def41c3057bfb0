"""The search: all candidates with what they cost and lose, which was taken, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tfmobile.artifacts import Allowance, Interval, Loss, Search, SearchTrial
from tfmobile.reporting import formatting
from tfmobile.reporting.charts.pareto import Point, pareto
from tfmobile.reporting.views.table import Row, Table, table

AGREEMENT = "agreement"
_ENDS = {
    "found": "It ended when something was within and nothing better was left to try.",
    "exhausted": "It ended when there was nothing left to try.",
    "time": "It ended when its time was over.",
}


@dataclass(frozen=True)
class SearchView:
    """Everything of the section. Plots are empty where nothing was measured."""

    why: str
    lead: str
    by_size: Markup
    by_latency: Markup
    trials: Table
    failed: tuple[str, ...]
    recipe: str
    notes: tuple[str, ...]


def search_view(search: Search, said: Sequence[str] = ()) -> SearchView:
    """Trials in the order in which they were tried; notes that were ``said`` are not repeated."""
    chosen = next(one for one in search.trials if one.name == search.chosen)
    return SearchView(
        why=search.why,
        lead=_lead(search),
        by_size=_plot(search, [(one, one.size_bytes) for one in search.trials], "size", formatting.size),
        by_latency=_plot(
            search, [(one, one.latency_ms) for one in search.trials], "latency on this machine", formatting.milliseconds
        ),
        trials=_table(search),
        failed=tuple(f"{one.name}: {one.reason}" for one in search.trials if one.verdict == "failed"),
        recipe=chosen.recipe,
        notes=tuple(note for note in search.notes if note not in said),
    )


def _lead(search: Search) -> str:
    words = f"{formatting.count(len(search.trials), 'candidate')} in {formatting.seconds(search.seconds)}"
    judged = f"judged on {formatting.count(search.samples, 'sample')} of {search.judged_on}"
    fitted = f", made with those of {search.fitted_on}" if search.fitted_on else ""
    asked = " and ".join(dict.fromkeys(one.asked for one in search.allowances))
    unproven = [one.measure for one in search.allowances if one.if_unproven]
    more = f" Where they do not prove what is lost, {unproven[0]} must be within, too." if unproven else ""
    return (
        f"{words} for {asked}, {judged}{fitted}.{more} {_ENDS[search.ended]} The choice has seen these samples: "
        "on others the loss may be a little larger."
    )


def _plot(
    search: Search, costs: Sequence[tuple[SearchTrial, float | None]], axis: str, tell: Callable[[float], str]
) -> Markup:
    allowance = search.allowances[0]
    scale, unit = _scale(allowance)
    points = [
        Point(
            number=number,
            name=one.name,
            cost=float(cost),
            loss=_scaled(one.losses[0].value, scale),
            within=one.verdict == "within",
            best=one.best,
            chosen=one.name == search.chosen,
        )
        for number, (one, cost) in enumerate(costs, 1)
        if cost is not None and one.losses and math.isfinite(one.losses[0].value.value)
    ]
    return pareto(points, scale * allowance.most, axis, unit, tell)


def _scale(allowance: Allowance) -> tuple[float, str]:
    """What to multiply a loss by, and the name of the result."""
    if allowance.measure == AGREEMENT:
        return 100.0, "% other answers"
    if allowance.measure.endswith("top-1"):
        return 100.0, f"points of {allowance.measure} lost"
    return 1.0, f"{allowance.measure} lost"


def _scaled(value: Interval, scale: float) -> Interval:
    return Interval(scale * value.value, scale * value.low, scale * value.high)


def _table(search: Search) -> Table:
    measures = [_scale(one)[1] for one in search.allowances]
    heads = ("", "Candidate", "Size", "Latency", "Faster", *(f"{name[:1].upper()}{name[1:]}" for name in measures))
    rows = [Row(_cells(number, one, search), _tone(one)) for number, one in enumerate(search.trials, 1)]
    numeric = [0, 2, 3, 4, *range(5, 7 + len(measures))]
    note = "✓ chosen · ◆ no other candidate costs and loses less · losses against the original, 95 % interval"
    return table("Candidates", (*heads, "Agreement", "Samples", "", ""), rows, numeric, note)


def _cells(number: int, one: SearchTrial, search: Search) -> tuple[str, ...]:
    losses = [_loss(loss, allowance) for loss, allowance in zip(one.losses, search.allowances, strict=False)]
    losses += [formatting.DASH] * (len(search.allowances) - len(losses))
    return (
        str(number),
        one.name,
        formatting.DASH if one.size_bytes is None else formatting.size(one.size_bytes),
        formatting.DASH if one.latency_ms is None else formatting.milliseconds(one.latency_ms),
        formatting.DASH if one.speed is None else formatting.times(one.speed.value),
        *losses,
        formatting.DASH if one.agreement is None else formatting.percent(one.agreement.value),
        str(one.samples or formatting.DASH),
        one.verdict,
        mark(one, search.chosen),
    )


def mark(one: SearchTrial, chosen: str) -> str:
    """The sign of the chosen one, and of those that none beats."""
    return " ".join(sign for sign, is_so in (("✓", one.name == chosen), ("◆", one.best)) if is_so)


def shown_loss(one: SearchTrial, search: Search) -> str:
    """The first loss with its unit, in short."""
    if not one.losses:
        return formatting.DASH
    scale, _ = _scale(search.allowances[0])
    value = scale * one.losses[0].value.value
    if search.allowances[0].measure == AGREEMENT:
        return f"{formatting.signed(value, 1)} %"
    return f"{formatting.signed(value, 1)} points" if scale != 1 else formatting.signed_significant(value)


def _loss(loss: Loss, allowance: Allowance) -> str:
    scale, _ = _scale(allowance)
    value = _scaled(loss.value, scale)
    spell = formatting.signed_significant if scale == 1 else lambda number: formatting.signed(number, 1)
    return f"{spell(value.value)} ({spell(value.low)} to {spell(value.high)})"


def _tone(one: SearchTrial) -> str:
    return {"within": "", "beyond": "caution", "failed": "bad"}[one.verdict]
