"""Empirical bias correction: each layer's mean output is moved back to what the float model gives.

Rounding weights and activations shifts the mean of every output channel a little; layer upon layer the shifts add up.
Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction" (appendix D), and
Finkelstein et al. 2019, "Fighting Quantization Bias With Bias": measure the shift before the activation on samples,
with all layers before it quantized and corrected, and subtract it from the bias. The file does not grow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

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
    """Correct the biases of all layers that have one, on at most MOST_SAMPLES samples."""
    session = ShiftSession(draft.graph, draft.quantized)
    with contextlib.closing(session):
        _measure(session, samples, progress)
    changes = BiasChanges(draft.graph)
    for layer in session.layers:
        changes.subtract(layer.node, session.shifts[layer.name], session.steps[layer.name])
    return changes.finish()


def _measure(session: ShiftSession, samples: Samples, progress: Progress) -> None:
    size = BATCH if session.batch else 1
    total = min(len(samples), MOST_SAMPLES)
    for epoch in range(EPOCHS):
        # Half of what was seen before counts: it was measured before the layers above were corrected.
        seen = epoch * total // 2
        for done, feeds in _batches(samples, size, total):
            progress(NAME, epoch * total + done, EPOCHS * total)
            count = len(next(iter(feeds.values())))
            seen += count
            session.see(feeds, count / seen)
    progress(NAME, EPOCHS * total, EPOCHS * total)


def _batches(samples: Samples, size: int, total: int) -> Iterator[tuple[int, Mapping[str, Array]]]:
    """How many samples came before, and a batch; ``total`` samples in all."""
    done = 0
    for feeds in samples.batches(size):
        if done >= total:
            return
        kept = {key: value[: total - done] for key, value in feeds.items()}
        yield done, kept
        done += len(next(iter(kept.values())))
