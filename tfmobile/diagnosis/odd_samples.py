"""Checks of single samples: repeated, constant, corrupted, not finite, normalized twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmobile.diagnosis.data_evidence import DataEvidence, Remark, counted, listed
from tfmobile.diagnosis.signs import percent
from tfmobile.diagnosis.survey import Survey
from tfmobile.graph.model import Array

NEAR = 0.03
"""Samples whose difference is below this part of how far samples usually lie apart are near repeats."""
NEAR_SHARE = 0.05
MOST_COMPARED = 2000
FAR = 5.0
"""A sample that reaches this many times as far as 19 of 20 others do is corrupted."""
RARE = 0.05


def repeated_samples(evidence: DataEvidence) -> Remark | None:
    """Copies of a sample say nothing new: ranges and corrections rest on fewer samples than there seem to be."""
    found = evidence.calibration
    order: dict[str, list[str]] = {}
    for name, number in zip(found.names, found.digests, strict=True):
        order.setdefault(number, []).append(name)
    copies = len(found) - len(order) + found.copies_removed
    if copies == 0:
        return None
    groups = [names for names in order.values() if len(names) > 1]
    examples = "; ".join(" = ".join(names[:3]) for names in groups[:3])
    share = copies / (len(found) + found.copies_removed)
    return Remark(
        min(1.0, 0.02 + share),
        f"{copies} {found.what} ({percent(share)}) have exactly the same values as another one"
        + (f": {examples}." if examples else "; they were used once."),
        "Remove the copies and give other samples; with a generator, check that it moves on to the next sample.",
        listed([name for names in groups for name in names[1:]]),
    )


def near_repeats(evidence: DataEvidence) -> Remark | None:
    """Samples that hardly differ, such as neighbouring frames of a video, count as one for ranges and corrections."""
    found = evidence.calibration
    near = _near(found)
    share = len(near) / max(1, len(found))
    if share < NEAR_SHARE or len(near) < 2:
        return None
    names = [found.names[index] for index in near]
    return Remark(
        min(0.9, share),
        f"{len(near)} of {len(found)} {found.what} differ from another one by less than {percent(NEAR)} of the usual.",
        "Take samples from more scenes, speakers or days: every tenth frame of a video is better than all of them.",
        listed(names),
    )


def _near(found: Survey) -> list[int]:
    """Positions of the samples that nearly equal an earlier one, but not exactly; of the first 2,000."""
    known: dict[str, int] = {}
    for index, number in enumerate(found.digests[:MOST_COMPARED]):
        known.setdefault(number, index)
    places = [index for index in known.values() if found.finite[index] and not found.constant[index]]
    if len(places) < 4 or found.sketches.shape[1] < 4:
        return []
    points = found.sketches[places].astype(np.float64)
    points -= points.mean(axis=0)
    usual = np.median((points**2).sum(axis=1)) * 2  # of the squared distance between two samples
    hits = []
    for row in range(1, len(points)):
        gaps = ((points[:row] - points[row]) ** 2).sum(axis=1)
        if gaps.min() < NEAR**2 * usual:
            hits.append(places[row])
    return hits


def constant_samples(evidence: DataEvidence) -> Remark | None:
    """A sample that is one value over and over is no sample: an empty picture, a silent or failed recording."""
    return _flagged(
        evidence.calibration,
        evidence.calibration.constant & evidence.calibration.finite,
        "are one value over and over",
        "Remove them, or look why they are empty.",
        floor=0.1,
    )


def not_finite(evidence: DataEvidence) -> Remark | None:
    """NaN or infinity in a sample makes every range it reaches meaningless."""
    for found in evidence.sets:
        remark = _flagged(
            found, ~found.finite, "hold NaN or infinity", "Remove or correct them; a --std of 0 divides by zero.", 0.9
        )
        if remark is not None:
            return remark
    return None


def _flagged(found: Survey, flags: Array, what: str, fix: str, floor: float) -> Remark | None:
    names = [found.names[index] for index in np.flatnonzero(flags)]
    if not names:
        return None
    severity = min(1.0, floor + len(names) / len(found))
    return Remark(severity, f"{len(names)} of {len(found)} {found.what} {what}: {listed(names)}.", fix, listed(names))


def corrupted_samples(evidence: DataEvidence) -> Remark | None:
    """One sample with values far beyond all others, such as hot pixels, stretches every range it passes through."""
    said = evidence.statistics.set_aside if evidence.statistics else ()
    found = evidence.calibration
    aside = [sentence for sentence in said if sentence.endswith("It was set aside.")]
    if aside:
        return Remark(
            min(0.6, 0.1 + len(aside) / max(1, len(found))),
            f"{len(aside)} of {counted(len(found), 'sample')} {'is' if len(aside) == 1 else 'are'} unlike all others: "
            + aside[0],
            "Look at them: remove them if they are broken; give more like them if they are real.",
            listed([sentence.split("'")[1] for sentence in aside if sentence.count("'") > 1]),
        )
    names, times = _far(found)
    if not names:
        return None
    return Remark(
        min(0.9, 0.2 + 0.1 * np.log2(times)),
        f"{len(names)} of {counted(len(found), 'sample')} {'reaches' if len(names) == 1 else 'reach'} up to "
        f"{times:.3g} times as far as the others: {listed(names)}.",
        "Remove them if they are broken; a range that holds them has few steps left for all others.",
        listed(names),
    )


def _far(found: Survey) -> tuple[list[str], float]:
    """The names of the few samples that reach much further than the others, and how much further."""
    sound = np.flatnonzero(found.finite)
    if len(sound) < 8:
        return [], 1.0
    middle = float(np.median(found.means[sound]))
    reach = np.maximum(found.highs[sound] - middle, middle - found.lows[sound])
    usual = float(np.quantile(reach, 1 - RARE, method="lower"))
    times = reach / max(usual, 1e-12)
    hits = np.flatnonzero(times > FAR)
    if not 0 < len(hits) <= max(1, RARE * len(sound)):
        return [], 1.0
    return [found.names[sound[index]] for index in hits], float(times.max())


def normalized_twice(evidence: DataEvidence) -> Remark | None:
    """Scaling for pixels 0 to 255 was applied to samples stored within −1 to 1, which leaves almost nothing of them."""
    std, mean, stored = evidence.preprocessing.std, evidence.preprocessing.mean, evidence.stored
    if stored is None or not std or min(std) < 16 or max(abs(stored[0]), abs(stored[1])) > 4:
        return None
    found = evidence.calibration
    low, high = np.nanmin(found.lows), np.nanmax(found.highs)
    options = " ".join(f"--{name} {_spell(values)}" for name, values in (("mean", mean), ("std", std)) if values)
    return Remark(
        0.95,
        f"The samples are stored as {stored[0]:.3g} to {stored[1]:.3g} and then normalized with {options}: "
        f"the model gets {low:.4g} to {high:.4g}.",
        f"Leave {options} out, or give values in the units of the stored samples.",
    )


def _spell(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
