"""Ranges of activations, chosen by what they do to the answers.

How much clipping a tensor bears depends on what comes behind it, which no histogram shows: the log energies of silence
lie far outside of those of speech, and clipping them changes nothing. So each tensor is rounded alone, in the float
model, with one range after another, and the answers are compared with the float model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmobile.artifacts import TensorStatistics
from tfmobile.errors import ModelError, UnsupportedError, VerificationError
from tfmobile.graph.model import Array
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.ranges.candidates import by_rules, can_gain, hull, shrunk
from tfmobile.quantization.ranges.groups import Group, find_groups
from tfmobile.quantization.ranges.min_max import min_max
from tfmobile.quantization.ranges.trials import Trials
from tfmobile.scheme.int8 import Range

STAGE = "choose ranges"
SAMPLES = 256
SHARE = 0.02
"""A group is looked at when it has this part of what all of them do to the answers, each alone,"""
FLOOR = 1e-4
"""and its divergence is not below this: so little moves no answer."""
GAIN = 0.05
"""A narrower range must make the divergence smaller by this part,"""
SURE = 1.0
"""and by more than this many standard errors of the mean over the samples."""
WORSE = 2
"""Ranges are tried from wide to narrow until so many in a row are worse than the best one."""
BUDGET = 3e11
"""Operations (see ``Trials.cost``) in all, some 15 seconds of one core; counted, so that results do not depend on the
machine."""
FIRST = 0.2
"""The part of it that may be used to find the groups that matter."""
FEWEST_FIRST, FEWEST = 4, 8
"""Samples that a group is at least tried on."""
USUAL_TRIALS = 16
"""About how many ranges are tried for a group,"""
PART = 8
"""and the part of what is left of the budget that these may take."""


@dataclass
class _Tried:
    """The best range of a group so far, and its divergence [samples]."""

    group: Group
    widest: Range
    range: Range
    found: Array

    @property
    def damage(self) -> float:
        return float(self.found.mean())


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Try other ranges for the tensors whose rounding changes the answers most.

    ``ranges`` of the result are those of every tensor that shares a changed one. The same arguments give the same
    result: what is tried is limited by a count of operations, not by time.
    """
    groups, skipped = find_groups(draft.floating, draft.graph)
    tensors = {group: [draft.statistics.tensors[key] for key in group.source_keys] for group in groups}
    some = [group for group in groups if can_gain(tensors[group])]
    idle = len(groups) - len(some)
    if idle:
        skipped = (*skipped, f"Left {idle} ranges as they are: values fill them, and clipping would cost more.")
    feeds = _feeds(draft, samples)
    if not some or not feeds:
        return Improved(skipped=skipped)
    try:
        with Trials(draft.graph, feeds) as trials:
            return _Search(draft, trials, tensors, progress).run(some, skipped)
    except (UnsupportedError, ModelError, VerificationError) as error:
        return Improved(skipped=(*skipped, f"Left all ranges as they are: {error.what}"))


def _feeds(draft: Draft, samples: Samples) -> list[dict[str, Array]]:
    """The first samples that were not set aside."""
    used = set(draft.statistics.samples)
    indices = [index for index, name in enumerate(samples.names) if name in used]
    return [samples.feed(index) for index in indices[:SAMPLES]]


class _Search:
    def __init__(
        self, draft: Draft, trials: Trials, tensors: Mapping[Group, Sequence[TensorStatistics]], progress: Progress
    ) -> None:
        self._draft, self._trials, self._tensors, self._progress = draft, trials, tensors, progress
        self._left = BUDGET

    def run(self, groups: Sequence[Group], skipped: tuple[str, ...]) -> Improved:
        tried = self._first(groups)
        total = sum(one.damage for one in tried)
        worst = sorted(tried, key=lambda one: -one.damage)
        matter = [one for one in worst if one.damage >= max(SHARE * total, FLOOR)]
        minor = len(worst) - len(matter)
        if minor:
            skipped = (*skipped, f"Left {minor} ranges as they are: rounding there hardly changes the answers.")
        changed: list[str] = []
        ranges: dict[str, Range] = {}
        for done, one in enumerate(matter):
            self._progress(STAGE, done, len(matter))
            sentence = self._refine(one)
            if sentence is None:
                skipped = (*skipped, f"Kept the range of '{one.group.name}': no other one brings answers closer.")
            elif not sentence:
                skipped = (*skipped, f"Kept the range of '{one.group.name}': the model is too large to try others.")
            else:
                changed.append(sentence)
                ranges.update(dict.fromkeys(one.group.keys, one.range))
        self._progress(STAGE, len(matter), len(matter))
        return Improved(ranges=ranges or None, changed=tuple(changed), skipped=skipped)

    def _first(self, groups: Sequence[Group]) -> list[_Tried]:
        """The divergence of every group with the range it has, on as many samples as the budget allows."""
        cost = sum(self._trials.cost(group) for group in groups)
        affordable = int(FIRST * self._left / max(cost, 1.0))
        samples = min(max(FEWEST_FIRST, affordable), self._trials.samples)
        tried = []
        for group in groups:
            now = hull([self._draft.ranges[key] for key in group.source_keys])
            now = min(now[0], 0.0), max(now[1], 0.0)
            found = self._try(group, now, min(samples, self._trials.fits(group)))
            widest = hull([min_max(tensor) for tensor in self._tensors[group]])
            tried.append(_Tried(group, widest, now, found))
        return tried

    def _try(self, group: Group, range_: Range, samples: int) -> Array:
        self._left -= self._trials.cost(group) * samples
        return self._trials.divergence(group, range_, samples)

    def _refine(self, one: _Tried) -> str | None:
        """Look for a better range; the sentence that says so, None when there is none, "" when nothing was tried."""
        cost = max(self._trials.cost(one.group) * USUAL_TRIALS, 1.0)
        samples = min(self._trials.fits(one.group), max(FEWEST, int(self._left / PART / cost)))
        if self._left < cost * samples:
            return ""
        before, start = one.range, self._try(one.group, one.range, samples)
        one.found = start
        self._best(one, self._candidates(one))
        for side in (0, 1):
            if one.widest[side]:
                self._best(one, shrunk(one.range, one.widest, side))
        if one.range == before:
            return None
        return (
            f"'{one.group.name}': {before[0]:.4g} … {before[1]:.4g} became {one.range[0]:.4g} … {one.range[1]:.4g}; "
            f"its part in the error of the answers went from {start.mean():.3g} to {one.damage:.3g}."
        )

    def _candidates(self, one: _Tried) -> list[Range]:
        """By all rules, and shrunk on both sides at once; the widest first."""
        both = [(low, high) for (low, _), (_, high) in zip(*self._sides(one), strict=True)]
        found = dict.fromkeys([*by_rules(self._tensors[one.group]).values(), *both])
        return sorted(found, key=lambda range_: range_[0] - range_[1])

    def _sides(self, one: _Tried) -> tuple[list[Range], list[Range]]:
        lows, highs = (shrunk(one.widest, one.widest, side) for side in (0, 1))
        return lows or [one.widest] * len(highs), highs or [one.widest] * len(lows)

    def _best(self, one: _Tried, candidates: Sequence[Range]) -> None:
        """Move to the best of ``candidates``, from wide to narrow, if it is clearly better; of equal ones the first."""
        best, least, worse = one.range, one.found, 0
        for range_ in candidates:
            found = self._try(one.group, range_, len(one.found))
            if found.mean() < least.mean():
                best, least, worse = range_, found, 0
            elif found.mean() > least.mean():
                worse += 1
            if worse > WORSE:
                break
        if _clearly_less(least, one.found):
            one.range, one.found = best, least


def _clearly_less(found: Array, before: Array) -> bool:
    gains = before - found
    error = float(gains.std(ddof=1)) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    return float(gains.mean()) > max(GAIN * float(before.mean()), SURE * error)
