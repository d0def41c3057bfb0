"""What a search with an accuracy budget tried, and what it chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tfmobile.artifacts.measures import Interval


@dataclass(frozen=True)
class Allowance:
    """What may be lost at most. ``measure`` is ``top-1``, ``expected top-1``, ``agreement`` or the name of a metric.

    ``most``: a fraction (0.005 is half a point) of samples, or an amount of the metric. ``asked``: the option as given.
    ``if_unproven``: it holds only where the samples do not prove that the others are kept.
    """

    measure: str
    most: float
    asked: str
    if_unproven: bool = False


@dataclass(frozen=True)
class Loss:
    """What a candidate loses by one measure against the original, on the same samples; positive is worse.

    ``bound``: the loss is below it with 95 % confidence. ``needed``: about how many samples would show that it is
    within the allowance; None when that is shown, or when the estimate is beyond it.
    """

    measure: str
    value: Interval
    bound: float
    needed: int | None = None


@dataclass(frozen=True)
class SearchTrial:
    """One candidate. ``recipe`` is its TOML text, which makes it again. ``higher``: layers with more than 8 bits.

    ``speed``: median time of the original over its own, above 1 is faster; None where it was not timed. ``best``: no
    other candidate is both better (faster or smaller, by the objective) and loses less.
    """

    name: str
    recipe: str
    verdict: Literal["within", "beyond", "failed"]
    reason: str
    size_bytes: int | None = None
    samples: int = 0
    losses: tuple[Loss, ...] = ()
    agreement: Interval | None = None
    latency_ms: float | None = None
    speed: Interval | None = None
    higher: tuple[str, ...] = ()
    best: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Search:
    """The whole search. ``why`` says in one sentence why ``chosen`` was.

    ``shown``: the data prove that the chosen one is within every allowance. ``judged_on`` and ``fitted_on`` say which
    samples decided, and which ones candidates were made with.
    """

    allowances: tuple[Allowance, ...]
    objective: Literal["latency", "size"]
    trials: tuple[SearchTrial, ...]
    chosen: str
    why: str
    shown: bool
    judged_on: str
    fitted_on: str
    samples: int
    ended: Literal["found", "exhausted", "time"]
    seconds: float
    notes: tuple[str, ...] = ()
