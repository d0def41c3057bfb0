"""The original's answers, and how far a rewritten graph's answers lie from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Array, Graph
from tfmobile.graph.run import Runner


@dataclass(frozen=True)
class Verdict:
    """What a comparison found; ``max_abs`` and ``max_rel`` are None when nothing could be compared."""

    max_abs: float | None
    max_rel: float | None
    samples: int
    refused: bool = False
    reason: str = ""
    worst_sample: int | None = None


class Verifier:
    """Runs the original once on the samples, when first needed, and every candidate against it.

    An original that answers differently each time it is asked (active dropout) cannot be compared with; the first
    rewritten graph that answers the same twice then becomes the reference of the passes after it.
    """

    def __init__(
        self, original: Graph, samples: Sequence[Mapping[str, Array]], tolerance: float, *, random: bool = False
    ) -> None:
        self.tolerance = tolerance
        self.samples = tuple(samples)
        self._original = original
        self._random = random
        self._reference: list[dict[str, Array]] | None = None
        self._why_not = ""
        self._last = Verdict(0.0, 0.0, len(self.samples))

    def unchanged(self) -> Verdict:
        """The verdict on a graph that is the one checked last."""
        last = self._last
        return Verdict(last.max_abs, last.max_rel, last.samples, reason="Nothing was changed.")

    def check(self, candidate: Graph) -> Verdict:
        """Run ``candidate`` and compare. Raises the errors of the original's own run on samples that were given."""
        self._answer()
        if self._reference is None:
            verdict = self._without_reference(candidate)
        else:
            verdict = self._compare(candidate, self._reference)
        if not verdict.refused:
            self._last = verdict
        return verdict

    def _answer(self) -> None:
        if self._reference is not None or self._why_not:
            return
        if not self.samples:
            self._why_not = "Not compared: no samples could be made for the inputs."
            return
        try:
            answers, repeats = _run(self._original, self.samples)
        except TfmobileError as error:
            if not self._random:
                raise
            self._why_not = f"Not compared: the original does not run on random samples. {error.why or error.what}"
            return
        if repeats:
            self._reference = answers
        else:
            self._why_not = "Not compared: the original answers differently each time (random ops are active)."

    def _without_reference(self, candidate: Graph) -> Verdict:
        try:
            answers, repeats = _run(candidate, self.samples) if self.samples else ([], False)
        except TfmobileError as error:
            if "does not run" in self._why_not:
                return Verdict(None, None, 0, reason=self._why_not)
            return Verdict(None, None, 0, refused=True, reason=f"It does not run. {error.why or error.what}")
        if repeats:
            self._reference = answers
        return Verdict(None, None, 0, reason=self._why_not)

    def _compare(self, candidate: Graph, reference: Sequence[Mapping[str, Array]]) -> Verdict:
        count = len(reference)
        try:
            answers, _ = _run(candidate, self.samples)
        except TfmobileError as error:
            return Verdict(None, None, count, refused=True, reason=f"It does not run. {error.why or error.what}")
        max_abs = max_rel = 0.0
        worst = 0
        for key in reference[0]:
            scale = max((_largest(sample[key]) for sample in reference), default=0.0)
            for index, (ours, theirs) in enumerate(zip(reference, answers, strict=True)):
                gap = distance(ours[key], theirs[key])
                relative = gap / scale if scale else gap
                if not relative <= max_rel:
                    worst, max_rel = index, relative
                max_abs = max(max_abs, gap) if gap == gap else gap
        reason = f"Verified on {count} random samples." if self._random else ""
        if max_rel <= self.tolerance:
            return Verdict(max_abs, max_rel, count, reason=reason)
        what = (
            "An output has NaN, or another shape than the original's."
            if not np.isfinite(max_rel)
            else f"An output moves by {max_rel:.3g} of its largest value; {self.tolerance:g} is allowed."
        )
        reason = f"{what} {reason}".strip()
        if not np.isfinite(max_rel):
            return Verdict(None, None, count, refused=True, reason=reason, worst_sample=worst)
        return Verdict(max_abs, max_rel, count, refused=True, reason=reason, worst_sample=worst)


def distance(ours: Array, theirs: Array) -> float:
    """The largest absolute difference; equal infinities, and NaN in the same places, count as equal.

    NaN when one side has a NaN that the other has not; inf when the shapes differ.
    """
    if ours.shape != theirs.shape:
        return float("inf")
    if ours.dtype.kind in "OSUV" and ours.dtype.name != "bfloat16":
        return 0.0 if np.array_equal(ours, theirs) else 1.0
    a, b = _wide(ours), _wide(theirs)
    with np.errstate(invalid="ignore"):
        gap = np.abs(a - b)
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, gap)
    return float(gap.max(initial=0.0))


def _largest(value: Array) -> float:
    if value.dtype.kind in "OSUV" and value.dtype.name != "bfloat16":
        return 0.0
    magnitude = np.abs(_wide(value))
    return float(magnitude[np.isfinite(magnitude)].max(initial=0.0))


def _wide(value: Array) -> Array:
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


def _run(graph: Graph, samples: Sequence[Mapping[str, Array]]) -> tuple[list[dict[str, Array]], bool]:
    """The answers, and whether the first sample gives the same answer a second time."""
    with Runner(graph) as runner:
        answers = [runner.run(sample) for sample in samples]
        again = runner.run(samples[0])
    return answers, all(distance(answers[0][key], again[key]) <= 1e-6 * _largest(again[key]) for key in again)
