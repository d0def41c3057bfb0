"""The answers a graph should give, and how far a rewritten graph's answers lie from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.errors import TfmobileError, UnsupportedError
from tfmobile.graph.distance import distance, largest
from tfmobile.graph.model import Array, Graph
from tfmobile.graph.run import Runner
from tfmobile.graph.samples import random_samples
from tfmobile.passes.translation import translate


@dataclass(frozen=True)
class Verdict:
    """What a comparison found; ``max_abs`` and ``max_rel`` are None when nothing could be compared.

    ``drift`` is ``max_rel`` against the original itself, when something else is the reference by now.
    """

    max_abs: float | None
    max_rel: float | None
    samples: int
    refused: bool = False
    reason: str = ""
    worst_sample: int | None = None
    drift: float | None = None


class Verifier:
    """Runs the original once on the samples, when first needed, and every candidate against it.

    An original that answers differently each time it is asked (active dropout) cannot be compared with; the first
    rewritten graph that answers the same twice then becomes the reference of the passes after it. So does the result
    of a pass that may move the answer, and of one that changes what the inputs take. ``against`` names the reference.
    """

    def __init__(
        self, original: Graph, samples: Sequence[Mapping[str, Array]], tolerance: float, *, random: bool = False
    ) -> None:
        self.tolerance = tolerance
        self.samples = tuple(samples)
        self.against = "the original"
        self._original = original
        self._random = random
        self._reference: Sequence[Mapping[str, Array]] | None = None
        self._origin: Sequence[Mapping[str, Array]] | None = None
        self._why_not = ""
        self._runs = True
        self._last = Verdict(0.0, 0.0, len(self.samples))

    def unchanged(self) -> Verdict:
        """The verdict on a graph that is the one checked last."""
        last = self._last
        reason = "Nothing was changed."
        return Verdict(last.max_abs, last.max_rel, last.samples, reason=reason, drift=last.drift)

    def check(self, before: Graph, result: PassResult, name: str, *, keeps_answer: bool = True) -> Verdict:
        """Run the graph that the pass ``name`` made of ``before``, and compare.

        Raises the errors of the original's own run on samples that were given.
        """
        candidate = result.graph
        if result.feeds or candidate.inputs != before.inputs:
            self._translate(before, result, name)
        self._answer()
        if self._reference is None:
            verdict = self._without_reference(candidate, keeps_answer)
        else:
            verdict = self._compare(candidate, self._reference, keeps_answer, name)
        if not verdict.refused:
            self._last = verdict
        return verdict

    def _translate(self, before: Graph, result: PassResult, name: str) -> None:
        """Go on with samples for the new inputs; the answers to compare with are those of ``before``."""
        found = translate(before, result, self.samples) if self.samples else None
        if found is not None:
            self.samples, self._reference = found
            self._why_not = ""
        else:
            self._random = True
            self.samples = tuple(random_samples(result.graph))
            self._reference = None
            self._why_not = "Not compared: the inputs were changed to what the graph before it cannot take."
        self._origin, self._runs = None, True
        self.against = f"the graph before {name}"

    def _answer(self) -> None:
        if self._reference is not None or self._why_not:
            return
        if not self.samples:
            self._why_not = "Not compared: no samples could be made for the inputs."
            return
        try:
            answers, repeats = _run(self._original, self.samples)
        except TfmobileError as error:
            if not self._random and not isinstance(error, UnsupportedError):
                raise
            on = "on random samples" if self._random else "here"
            self._why_not = f"Not compared: the original does not run {on}. {error.why or error.what}"
            self._runs = False
            return
        if repeats:
            self._reference = self._origin = answers
        else:
            self._why_not = "Not compared: the original answers differently each time (random ops are active)."

    def _without_reference(self, candidate: Graph, keeps_answer: bool) -> Verdict:
        try:
            answers, repeats = _run(candidate, self.samples) if self.samples else ([], False)
        except TfmobileError as error:
            if not self._runs or (isinstance(error, UnsupportedError) and not keeps_answer):
                return Verdict(None, None, 0, reason=self._why_not)
            return Verdict(None, None, 0, refused=True, reason=f"It does not run. {error.why or error.what}")
        if repeats:
            self._reference = answers
        return Verdict(None, None, 0, reason=self._why_not)

    def _compare(
        self, candidate: Graph, reference: Sequence[Mapping[str, Array]], keeps_answer: bool, name: str
    ) -> Verdict:
        count = len(reference)
        try:
            answers, _ = _run(candidate, self.samples)
        except TfmobileError as error:
            if isinstance(error, UnsupportedError) and not keeps_answer:
                self._reference, self._why_not = None, f"Not compared: {error.what} It does not run here."
                self._runs = False
                return Verdict(None, None, 0, reason=self._why_not)
            return Verdict(None, None, count, refused=True, reason=f"It does not run. {error.why or error.what}")
        max_abs, max_rel, worst = gaps(reference, answers)
        drift = gaps(self._origin, answers)[1] if self._origin is not None else None
        said = f"Verified on {count} random samples." if self._random else ""
        if not keeps_answer and 0 < max_rel < np.inf:
            self._reference, self.against = answers, f"the result of {name}"
            return Verdict(max_abs, max_rel, count, reason=said, drift=drift)
        if max_rel <= self.tolerance:
            return Verdict(max_abs, max_rel, count, reason=said, drift=drift)
        what = (
            "An output has NaN, or another shape than the original's."
            if not np.isfinite(max_rel)
            else f"An output moves by {max_rel:.3g} of its largest value; {self.tolerance:g} is allowed."
        )
        reason = f"{what} {said}".strip()
        if not np.isfinite(max_rel):
            return Verdict(None, None, count, refused=True, reason=reason, worst_sample=worst)
        return Verdict(max_abs, max_rel, count, refused=True, reason=reason, worst_sample=worst)


def gaps(reference: Sequence[Mapping[str, Array]], answers: Sequence[Mapping[str, Array]]) -> tuple[float, float, int]:
    """The largest difference over all outputs and samples: absolute, relative to the output's scale, and where."""
    max_abs = max_rel = 0.0
    worst = 0
    for key in reference[0]:
        scale = max((largest(sample[key]) for sample in reference), default=0.0)
        for index, (ours, theirs) in enumerate(zip(reference, answers, strict=True)):
            gap = distance(ours[key], theirs[key])
            relative = gap / scale if scale else gap
            if not relative <= max_rel:
                worst, max_rel = index, relative
            max_abs = max(max_abs, gap) if gap == gap else gap
    return max_abs, max_rel, worst


def _run(graph: Graph, samples: Sequence[Mapping[str, Array]]) -> tuple[list[dict[str, Array]], bool]:
    """The answers, and whether the first sample gives the same answer a second time."""
    with Runner(graph) as runner:
        answers = [runner.run(sample) for sample in samples]
        again = runner.run(samples[0])
    return answers, all(distance(answers[0][key], again[key]) <= 1e-6 * largest(again[key]) for key in again)
