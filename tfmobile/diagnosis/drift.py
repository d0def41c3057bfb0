"""Checks of ranges: whether the samples are enough for stable ones, and whether other samples keep to them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tfmobile.diagnosis.data_evidence import DataEvidence, Remark
from tfmobile.diagnosis.signs import percent
from tfmobile.diagnosis.survey import Survey
from tfmobile.graph.model import Array

BEYOND = 0.05
"""A sample that leaves a range by less than this part of its width loses nothing that shows."""
GOOD, POOR = 0.01, 0.02
"""Fraction of new samples beyond a range (mean over tensors): what is fine, and what is too much."""
ROUNDS = 40
FEW = 16
DRIFTED = 0.25
"""Kolmogorov-Smirnov distance: the largest difference of the two cumulated shares."""
UNLIKELY = 1e-4

Extremes = Mapping[str, tuple[Array, Array]]
"""By tensor: lows and highs, [samples] each."""


def too_few_samples(evidence: DataEvidence) -> Remark | None:
    """Ranges from so few samples depend on which ones they are: others would leave them often."""
    extremes = calibrated_extremes(evidence)
    count = min((len(lows) for lows, _ in extremes.values()), default=0)
    if count < 2:
        return None
    beyond, growth = left_out(extremes)
    if beyond <= POOR and count >= FEW:
        return None
    wanted = max(100, 10 * math.ceil(count * beyond / GOOD / 10))
    return Remark(
        min(1.0, max(0.3 if count < FEW else 0.0, beyond / 0.1)),
        f"With {count} samples, about {percent(beyond)} of new ones leave a range by more than {percent(BEYOND)} of "
        f"its width, and half of the samples give ranges {percent(growth)} narrower (mean of {len(extremes)} tensors).",
        f"Give about {wanted} samples.",
    )


def calibrated_extremes(evidence: DataEvidence) -> Extremes:
    """Smallest and largest value in each sample: of every tensor, or without statistics of the input alone."""
    if evidence.statistics is not None:
        count = len(evidence.statistics.samples)
        tensors = sorted(evidence.statistics.tensors.items())
        # Tensors inside loops have one range over all samples.
        return {key: (one.lows, one.highs) for key, one in tensors if len(one.lows) == count}
    found = evidence.calibration
    sound = found.finite
    order = np.argsort(np.array(found.digests)[sound]) if len(found) else np.zeros(0, np.int64)
    return {"input": (found.lows[sound][order], found.highs[sound][order])}


def left_out(extremes: Extremes) -> tuple[float, float]:
    """Bootstrap over samples: ranges of random halves, and what the other halves do there; means over tensors.

    First the fraction of new samples beyond a range of all samples: half of what it is with half of the samples, since
    the chance that a new sample is the new extreme of n falls as 1/n. Then how much narrower a half's range is. Seeded;
    depends on the set of samples only.
    """
    beyond, growth = [], []
    generator = np.random.default_rng(0)
    count = min(len(lows) for lows, _ in extremes.values())
    halves = [generator.permutation(count)[: max(1, count // 2)] for _ in range(ROUNDS)]
    for lows, highs in extremes.values():
        low, high = np.minimum(lows[:count], 0), np.maximum(highs[:count], 0)
        width = float(high.max() - low.min())
        if width <= 0:
            continue
        for half in halves:
            others = np.ones(count, bool)
            others[half] = False
            own = float(high[half].max()), float(low[half].min())
            beyond.append(_outside(low[others], high[others], own[1], own[0]) / 2)
            growth.append(1 - (own[0] - own[1]) / width)
    return (float(np.mean(beyond)), float(np.mean(growth))) if beyond else (0.0, 0.0)


def _outside(lows: Array, highs: Array, low: float, high: float) -> float:
    """The fraction of samples that leave the range by more than BEYOND of its width."""
    margin = BEYOND * (high - low)
    return float(((lows < low - margin) | (highs > high + margin)).mean())


def range_drift(evidence: DataEvidence) -> Remark | None:
    """The samples to be judged by leave the calibrated ranges, so their values are cut off."""
    ours, theirs = evidence.statistics, evidence.evaluation_statistics
    if ours is None or theirs is None:
        return None
    expected, _ = left_out(calibrated_extremes(evidence))
    found = {}
    for key in sorted(set(ours.tensors) & set(theirs.tensors)):
        low, high = ours.tensors[key].range
        other = theirs.tensors[key]
        if len(other.lows) != len(theirs.samples):
            continue
        found[key] = _outside(np.minimum(other.lows, 0), np.maximum(other.highs, 0), min(low, 0.0), max(high, 0.0))
    if not found:
        return None
    mean, worst = float(np.mean(list(found.values()))), max(found, key=lambda key: found[key])
    if mean <= max(0.03, 4 * expected) and found[worst] <= max(0.15, 8 * expected):
        return None
    name = worst.split(";")[0]
    return Remark(
        min(1.0, max(2 * mean, found[worst])),
        f"{percent(mean)} of the evaluation samples (mean of {len(found)} tensors; {percent(expected)} are expected) "
        f"leave the calibrated ranges by more than {percent(BEYOND)} of their width; worst: "
        f"{percent(found[worst])} at '{name}'.",
        "Calibrate on samples like those that are judged: --calibrate-with DIR.",
        name,
    )


def input_drift(evidence: DataEvidence) -> Remark | None:
    """The calibration samples are another kind of data than the evaluation samples: brighter, louder, flatter."""
    ours, theirs = evidence.calibration, evidence.evaluation
    if theirs is None or set(ours.digests) & set(theirs.digests):
        return None
    gaps = {what: _distance(ours, theirs, what) for what in ("means", "deviations")}
    worst = max(gaps, key=lambda what: gaps[what])
    counts = int(ours.finite.sum()), int(theirs.finite.sum())
    if min(counts) < 8 or gaps[worst] <= max(DRIFTED, _by_chance(*counts)):
        return None
    mine, other = (float(np.median(getattr(one, worst)[one.finite])) for one in (ours, theirs))
    noun = {"means": "mean", "deviations": "standard deviation"}[worst]
    return Remark(
        min(1.0, gaps[worst]),
        f"The {noun} of a sample's values is {mine:.4g} in the middle calibration sample and {other:.4g} in the middle "
        f"evaluation sample; Kolmogorov-Smirnov distance {gaps[worst]:.2f} over {counts[0]} and {counts[1]} samples.",
        "Calibrate on samples like those that are judged, read and scaled the same way: --calibrate-with DIR.",
    )


def _by_chance(first: int, second: int) -> float:
    """The Kolmogorov-Smirnov distance that two draws of the same data exceed with probability UNLIKELY."""
    return math.sqrt(-0.5 * math.log(UNLIKELY / 2) * (first + second) / (first * second))


def _distance(ours: Survey, theirs: Survey, what: str) -> float:
    first, second = (np.sort(getattr(one, what)[one.finite]) for one in (ours, theirs))
    if not len(first) or not len(second):
        return 0.0
    every = np.concatenate([first, second])
    shares = [np.searchsorted(part, every, side="right") / len(part) for part in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())
