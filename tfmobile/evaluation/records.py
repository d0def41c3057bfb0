"""What one sample tells about the models: small numbers that travel from the worker to the parent as JSON lists."""

from __future__ import annotations

from typing import Any, NamedTuple


class ModelRecord(NamedTuple):
    """One model on one sample. ``top`` are the classes of the five highest scores, best first; -1 when they are NaN."""

    finite: bool
    top: tuple[int, ...] = ()
    confidence: float = 0.0
    """Of the first answer: the score where scores look like probabilities, else its softmax."""
    probabilities: bool = False
    """Whether the scores look like probabilities."""
    rank: int = -1
    """How many classes score above the label's (0 is right); ties count in class order. -1: not known."""
    score: float = 0.0
    """The value of a single output."""
    absolute_error: float = 0.0
    """Mean over the elements of a regression output."""
    squared_error: float = 0.0
    metric: float = 0.0
    """What the user's metric returned."""


class PairRecord(NamedTuple):
    """A candidate's outputs against the reference's, over all elements; zeros if either is not finite."""

    finite: bool
    signal: float = 0.0
    """Sum of squares of the reference."""
    noise: float = 0.0
    """Sum of squares of the difference."""
    cosine: float = 0.0
    max_abs: float = 0.0


class SampleRecord(NamedTuple):
    """All models on one sample. ``label`` is the class number, or None."""

    position: int
    name: str
    label: int | None
    models: tuple[ModelRecord, ...]
    pairs: tuple[PairRecord, ...]
    """Models 1, 2, … against model 0."""


def from_json(row: list[Any]) -> SampleRecord:
    """Rebuild a SampleRecord from the nested lists that JSON made of it."""
    position, name, label, models, pairs = row
    return SampleRecord(
        position,
        name,
        label,
        tuple(ModelRecord(finite, tuple(top), *rest) for finite, top, *rest in models),
        tuple(PairRecord(*pair) for pair in pairs),
    )
