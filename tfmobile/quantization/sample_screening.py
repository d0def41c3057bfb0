"""Set samples aside that are unlike all others: one hot pixel, one broken file would decide the ranges of all tensors.

Only sizes are looked at, not how common a sample is: what lies in the range of the others is kept, however odd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.quantization.improvements.draft import Samples

MOST_ASIDE = 0.05
"""The largest part of the samples that is set aside; more are no accident, and the model will meet them."""
INPUT_GAP = 4.0
TENSOR_GAP = 3.0
"""How many times as large as in all other samples the largest |value| of a sample is, in an input and behind it."""
TENSORS = 3
"""In how many tensors behind the inputs that must be so, where there are as many."""


@dataclass(frozen=True)
class Screening:
    """``kept`` [samples] bool; ``set_aside``: a sentence a sample; ``notes``: what looked odd and was kept."""

    kept: Array
    set_aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def screen(lows: Array, highs: Array, names: Sequence[str], tensors: Sequence[str], inputs: int) -> Screening:
    """Which samples to use. ``lows`` and ``highs`` [tensors, samples]; the first ``inputs`` tensors are inputs.

    In each tensor samples are ordered by their largest |value|. Behind the first gap (INPUT_GAP or TENSOR_GAP times)
    come those that are unlike the others. None is set aside when they are more than MOST_ASIDE of all.
    """
    sizes = np.maximum(np.abs(lows), np.abs(highs)).astype(np.float64)
    behind = np.array(
        [_behind_gap(row, INPUT_GAP if place < inputs else TENSOR_GAP) for place, row in enumerate(sizes)]
    )
    behind = behind.reshape(sizes.shape)
    needed = min(TENSORS, max(1, len(sizes) - inputs))
    odd = behind[:inputs].any(axis=0) | (behind[inputs:].sum(axis=0) >= needed)
    if not odd.any():
        return Screening(~odd)
    usual = np.median(sizes, axis=1)
    sentences = [_sentence(names[i], behind[:, i], sizes[:, i], usual, tensors) for i in map(int, np.flatnonzero(odd))]
    if odd.sum() > MOST_ASIDE * len(odd):
        return Screening(np.ones(len(odd), bool), notes=(_too_many(int(odd.sum()), len(odd), sentences[0]),))
    return Screening(~odd, tuple(f"{sentence} It was set aside." for sentence in sorted(sentences)))


def screen_inputs(samples: Samples) -> Screening:
    """The same by inputs alone, without running a model."""
    keys = (
        [key for key, value in samples.feed(0).items() if value.dtype.kind == "f" and value.size]
        if len(samples)
        else []
    )
    lows, highs = np.empty((len(keys), len(samples))), np.empty((len(keys), len(samples)))
    for place in range(len(samples)):
        feed = samples.feed(place)
        for row, key in enumerate(keys):
            lows[row, place], highs[row, place] = feed[key].min(), feed[key].max()
    return screen(lows, highs, samples.names, keys, len(keys))


def _behind_gap(sizes: Array, gap: float) -> Array:
    """The samples behind the first gap that few enough lie behind, else the last one; at least half lie below it."""
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    first = max(1, len(sizes) // 2)
    before, after = ordered[first - 1 : -1], ordered[first:]
    # What is 0 in all others is no scale to compare with: a unit may be awake in few samples.
    gaps = np.flatnonzero((before > 0) & (after > gap * before))
    found = np.zeros(len(sizes), bool)
    few = gaps[len(sizes) - first - gaps <= MOST_ASIDE * len(sizes)]
    if gaps.size:
        found[order[first + (few[0] if few.size else gaps[-1]) :]] = True
    return found


def _sentence(name: str, behind: Array, sizes: Array, usual: Array, tensors: Sequence[str]) -> str:
    worst = int(np.argmax(np.where(behind, sizes / np.maximum(usual, 1e-30), 0)))
    tensor = tensors[worst].partition(";")[0]
    return (
        f"Sample '{name}' is unlike all others: it reaches {sizes[worst]:.4g} in tensor '{tensor}', "
        f"where half of them stay within {usual[worst]:.4g}."
    )


def _too_many(odd: int, samples: int, example: str) -> str:
    return (
        f"{odd} of {samples} samples are far larger than the others, too many to set aside (at most "
        f"{MOST_ASIDE:.0%} are); ranges cover them. {example}"
    )
