"""One model's answer to one sample, and the losses that follow from the answers of two models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfmobile.artifacts import Allowance
from tfmobile.graph.model import Array
from tfmobile.search.decision import Kind

TOP1, EXPECTED, AGREEMENT, MAE = "top-1", "expected top-1", "agreement", "MAE"
REMEMBERED = 16
"""Of how many classes the original's probability is kept; those below count as 0."""


class Answer(NamedTuple):
    """Small numbers that travel as a JSON list. ``classes`` by falling ``probabilities``; ``right`` with labels.

    ``value``: the user's metric, or the absolute error of a regression.
    """

    finite: bool
    classes: Sequence[int] = ()
    probabilities: Sequence[float] = ()
    right: bool | None = None
    value: float = 0.0
    probable: bool = False


@dataclass(frozen=True)
class Judging:
    """How outputs are judged. ``kind``: classes, regression or metric; ``output``: the key of the judged output.

    ``sign``: 1 where higher values of the metric are better, else −1.
    """

    kind: str
    output: str = ""
    labelled: bool = False
    metric: str = ""
    sign: int = 1

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Judging:
        """From ``dataclasses.asdict`` that went through JSON."""
        return cls(**values)

    def for_output(self, output: str) -> Judging:
        """The same for a model that names the output differently."""
        return dataclasses.replace(self, output=output)


class Losses(NamedTuple):
    """By sample; ``before``: what the reference had, for paired losses. See ``decision.Kind``."""

    kind: Kind
    values: Array
    before: Array


def losses(allowance: Allowance, how: Judging, original: Sequence[Answer], candidate: Sequence[Answer]) -> Losses:
    """What ``candidate`` loses against ``original`` on the same samples, by the measure of ``allowance``; [N]."""
    measure = allowance.measure
    if measure == AGREEMENT:
        return _plain("fraction", [float(a.classes[0] != b.classes[0]) for a, b in _pairs(original, candidate)])
    if measure == EXPECTED:
        return _plain("bounded", [_expected(a, b) for a, b in _pairs(original, candidate)])
    if measure == TOP1:
        before = np.array([bool(one.right) for one in original])
        after = np.array([bool(one.right) for one in candidate])
        return Losses("paired", before.astype(np.float64) - after, before)
    return _plain("free", [how.sign * (a.value - b.value) for a, b in _pairs(original, candidate)])


def agreement(original: Sequence[Answer], candidate: Sequence[Answer]) -> Array:
    """Whether the answers are the same, [N] bool; empty where answers are not classes."""
    return np.array([a.classes[0] == b.classes[0] for a, b in _pairs(original, candidate) if a.classes], bool)


def _pairs(original: Sequence[Answer], candidate: Sequence[Answer]) -> list[tuple[Answer, Answer]]:
    return list(zip(original, candidate, strict=True))


def _expected(original: Answer, candidate: Answer) -> float:
    """By how much less the original believes in the candidate's answer than in its own: the expected loss."""
    known = dict(zip(original.classes, original.probabilities, strict=True))
    return max(0.0, original.probabilities[0] - known.get(candidate.classes[0], 0.0))


def _plain(kind: Kind, values: list[float]) -> Losses:
    return Losses(kind, np.array(values, np.float64), np.zeros(len(values), bool))
