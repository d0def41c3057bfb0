"""The sentences of a search: why a candidate was taken or not, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tfmobile.artifacts import Allowance, Interval, Loss, Search, SearchTrial
from tfmobile.search.answers import AGREEMENT, EXPECTED, TOP1
from tfmobile.search.judge import Judged

_IN_POINTS = (TOP1, EXPECTED)


def rule(allowances: Sequence[Allowance]) -> str:
    """All that was asked for: ``at most 0.5 points of top-1 and at least 98 % the same answers``."""
    return " and ".join(allowed(one) for one in allowances if not one.if_unproven)


def allowed(allowance: Allowance) -> str:
    """``at most 0.5 points of top-1``, ``at least 98 % the same answers``, ``at most 0.1 of MAE``."""
    if allowance.measure == AGREEMENT:
        return f"at least {_short(100 * (1 - allowance.most))} % the same answers"
    if allowance.measure in _IN_POINTS:
        points = _short(100 * allowance.most)
        return f"at most {points} point{'' if points == '1' else 's'} of {allowance.measure}"
    return f"at most {_short(allowance.most)} of {allowance.measure}"


def lost(loss: Loss) -> str:
    """``loses 0.4 points of top-1 (95 % interval −0.6 to 1.4)``."""
    if loss.measure == AGREEMENT:
        same = Interval(1 - loss.value.value, 1 - loss.value.high, 1 - loss.value.low)
        return f"answers {_short(100 * same.value)} % alike ({_range(same, 100)} %)"
    scale = 100 if loss.measure in _IN_POINTS else 1
    unit = "points of " if loss.measure in _IN_POINTS else "of "
    return f"loses {_short(scale * loss.value.value)} {unit}{loss.measure} ({_range(loss.value, scale)})"


def judged_reason(judged: Judged, needs_proof: bool) -> str:
    """Of one trial."""
    words = ", ".join(lost(loss) for loss in judged.losses)
    strict = needs_proof and judged.verdict == "beyond" and judged.excess <= 0
    more = " It changes many answers, so it is taken only when the samples prove that it is within." if strict else ""
    return f"It {words} on {judged.samples:,} samples.{more}"


def why_chosen(
    chosen: SearchTrial, trials: Sequence[SearchTrial], objective: str, allowances: Sequence[Allowance]
) -> str:
    """One sentence, and one more where the samples do not prove it."""
    others = sum(one.verdict == "within" for one in trials)
    first = "fastest" if objective == "latency" else "smallest"
    asked = rule(allowances)
    words = ", ".join(lost(loss) for loss in chosen.losses)
    among = "the only one" if others == 1 else f"the {first} of {others}"
    text = f"{chosen.name} is {among} of {len(trials)} candidates within the budget ({asked})"
    if others > 1:
        text = f"{chosen.name} is {among} candidates within the budget ({asked}), of {len(trials)} tried"
    return f"{text}: it {words} on {chosen.samples:,} samples. {proof(chosen)}".strip()


def proof(chosen: SearchTrial) -> str:
    """Whether the samples show that the loss is within, at 95 %."""
    missing = [loss.needed for loss in chosen.losses if loss.needed is not None]
    if missing:
        return f"They do not prove it: about {max(missing):,} samples would be needed to be 95 % sure."
    return ""


def headline(search: Search) -> str:
    """What the search came to, in a few words."""
    return f"Search: {search.chosen}, out of {len(search.trials)} candidates in {search.seconds:.0f} s"


def _range(interval: Interval, scale: float) -> str:
    return f"95 % interval {_short(scale * interval.low)} to {_short(scale * interval.high)}"


def _short(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 1 else f"{value:.4g}"
    if abs(value) >= 0.005:
        text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "-0.0") else text.replace("-", "−")
