"""How far two models' outputs lie apart on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.artifacts import Difference
from tfmobile.graph.model import Array


def difference(
    what: str, reference: Sequence[Mapping[str, Array]], candidate: Sequence[Mapping[str, Array]]
) -> Difference:
    """The largest difference over all outputs, and the signal-to-noise ratio in dB over all values.

    Outputs are paired by key, or by position where the keys differ. ``max_rel`` is relative to the largest absolute
    value of that output over the samples. A NaN on either side gives NaN. ``snr_db`` is None without any noise.
    """
    worst_abs = worst_rel = 0.0
    signal = noise = 0.0
    for ours, theirs in _paired(reference, candidate):
        gap = np.abs(ours - theirs)
        largest = float(gap.max(initial=0.0))
        scale = float(np.abs(ours).max(initial=0.0))
        worst_abs = float(np.maximum(worst_abs, largest))
        worst_rel = float(np.maximum(worst_rel, largest / scale if scale else largest))
        signal += float(np.square(ours).sum())
        noise += float(np.square(gap).sum())
    snr = 10 * float(np.log10(signal / noise)) if signal > 0 and noise > 0 else None
    return Difference(what, len(reference), worst_abs, worst_rel, snr)


def _paired(
    reference: Sequence[Mapping[str, Array]], candidate: Sequence[Mapping[str, Array]]
) -> list[tuple[Array, Array]]:
    if not reference:
        return []
    ours, theirs = list(reference[0]), list(candidate[0])
    keys = [(key, key if key in theirs else theirs[at]) for at, key in enumerate(ours)]
    stack = [
        (
            np.concatenate([np.ravel(sample[a]) for sample in reference]).astype(np.float64),
            np.concatenate([np.ravel(sample[b]) for sample in candidate]).astype(np.float64),
        )
        for a, b in keys
    ]
    return stack
