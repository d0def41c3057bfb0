"""Empirical bias correction: each layer's mean output is moved back to what the float model gives.

Rounding weights and activations shifts the mean of every output channel a little; layer upon layer the shifts add up.
Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction" (appendix D), and
Finkelstein et al. 2019, "Fighting Quantization Bias With Bias": measure the shift before the activation on samples,
with all layers before it quantized and corrected, and subtract it from the bias. The file does not grow.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.progress import Progress
from tfmobile.quantization.improvements.bias_changes import BiasChanges
from tfmobile.quantization.improvements.draft import Draft, Improved, Samples
from tfmobile.quantization.simulation.shift_tracking import ShiftSession

NAME = "correct-bias"
MOST_SAMPLES = 256
"""The mean over more of them is no different."""
BATCH = 32
EPOCHS = 2
"""In the second one, each layer reads what the first one corrected."""


def improve(draft: Draft, samples: Samples, progress: Progress) -> Improved:
    """Correct the biases of all layers that have one, on at most MOST_SAMPLES samples.

    Samples that the draft's statistics set aside are not used.
    """
    session = ShiftSession(draft.target, draft.quantized)
    with contextlib.closing(session):
        _measure(session, _used(draft, samples), progress)
    changes = BiasChanges(draft.graph)
    for layer in session.layers:
        changes.subtract(layer.node, session.shifts[layer.name], session.steps[layer.name])
    return changes.finish()


def _used(draft: Draft, samples: Samples) -> list[Callable[[], dict[str, Array]]]:
    """How to read each sample."""
    known = set(draft.statistics.samples)
    places = [place for place, name in enumerate(samples.names) if name in known] or range(len(samples))
    return [functools.partial(samples.feed, place) for place in places[:MOST_SAMPLES]]


def _measure(session: ShiftSession, reads: Sequence[Callable[[], dict[str, Array]]], progress: Progress) -> None:
    size, total = BATCH if session.batch else 1, len(reads)
    for epoch in range(EPOCHS):
        # Half of what was seen before counts: it was measured before the layers above were corrected.
        before = epoch * total // 2
        for done in range(0, total, size):
            progress(NAME, epoch * total + done, EPOCHS * total)
            feeds = [read() for read in reads[done : done + size]]
            joined = {key: np.concatenate([feed[key] for feed in feeds]) for key in feeds[0]}
            session.see(joined, len(feeds) / (before + done + len(feeds)))
    progress(NAME, EPOCHS * total, EPOCHS * total)
