"""What the tensors of a float .tflite hold over samples: two passes, the second only over samples like the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.artifacts import Statistics, TensorStatistics
from tfmobile.graph.model import Array
from tfmobile.progress import Progress, silent
from tfmobile.quantization.calibration import ONLY_OUTSIDE
from tfmobile.quantization.calibration_child import CalibrationChild, Wanted, sees_inside
from tfmobile.quantization.improvements.draft import Samples
from tfmobile.quantization.observers import main_keys
from tfmobile.quantization.sample_checks import SampleChecks
from tfmobile.quantization.sample_screening import screen
from tfmobile.quantization.tallies import means
from tfmobile.quantization.tensor_keys import hidden
from tfmobile.runtime import flatbuffer

STAGE = "measure statistics"
USUAL = 0.9
BEYOND = 2.0
"""Histograms end at BEYOND times what USUAL of the samples stay within: one value must not thin them out."""


def measure_statistics(
    floating: bytes, samples: Samples, *, progress: Progress = silent, timeout_s: float = 120.0
) -> Statistics:
    """Extremes by sample, histograms, and extremes and means by channel, of every float tensor of ``floating``.

    ``samples`` are read twice, one at a time; the result does not depend on their order if ``samples`` has one of its
    own (``StoredSamples`` does). Those unlike all others are set aside (see ``sample_screening``). Of tensors with many
    values, every n-th is counted in the histogram. Tensors inside loops and fused cells have a range only: one low, one
    high, no counts. The model runs in a child process, on all cores; a sample that takes longer than ``timeout_s``
    seconds ends it.

    Raises DataError for NaN, infinity, a wrong shape, samples that do not vary or no samples; VerificationError when
    the model crashes the runtime or hangs.
    """
    return _Measurement(floating, samples, progress, timeout_s).statistics()


@dataclass(frozen=True)
class _Measurement:
    floating: bytes
    samples: Samples
    progress: Progress
    timeout_s: float

    def statistics(self) -> Statistics:
        model = flatbuffer.view(self.floating)
        keys = list(main_keys(model).values())
        lows, highs = self._extremes()
        screening = screen(lows, highs, self.samples.names, keys, _inputs(model))
        kept = np.flatnonzero(screening.kept)
        lows, highs = lows[:, kept], highs[:, kept]
        edges = [_edges(low, high) for low, high in zip(lows, highs, strict=True)]
        found = self._histograms(kept, edges)
        tensors = {key: _tensor(i, lows[i], highs[i], edges[i], found) for i, key in enumerate(keys)}
        inside, notes = self._inside(kept)
        tensors.update((key, range_) for key, range_ in inside.items() if key not in tensors)
        return Statistics(
            tensors={key: tensors[key] for key in sorted(tensors)},
            samples=tuple(self.samples.names[index] for index in kept),
            set_aside=screening.set_aside,
            notes=(*screening.notes, *notes),
        )

    def _extremes(self) -> tuple[Array, Array]:
        checks = SampleChecks()
        with CalibrationChild(self.floating, Wanted("extremes"), timeout_s=self.timeout_s) as child:
            for index, name in enumerate(self.samples.names):
                feed = self.samples.feed(index)
                checks.see(name, feed)
                child.see(name, feed)
                self.progress(STAGE, index + 1, 2 * len(self.samples))
            checks.finish(len(self.samples))
            found = child.arrays()
        return found["lows"], found["highs"]

    def _histograms(self, kept: Array, edges: Sequence[tuple[float, float]]) -> dict[str, Array]:
        wanted = Wanted("histograms", tuple(edges), len(kept))
        with CalibrationChild(self.floating, wanted, timeout_s=self.timeout_s) as child:
            for done, index in enumerate(kept):
                child.see(self.samples.names[index], self.samples.feed(int(index)))
                self.progress(STAGE, len(self.samples) + done + 1, len(self.samples) + len(kept))
            return child.arrays()

    def _inside(self, kept: Array) -> tuple[dict[str, TensorStatistics], tuple[str, ...]]:
        """Ranges inside loops, branches and fused cells; what cannot be seen is said."""
        if not hidden(self.floating):
            return {}, ()
        if not sees_inside(self.floating, timeout_s=self.timeout_s):
            return {}, (ONLY_OUTSIDE,)
        with CalibrationChild(self.floating, Wanted("inner-ranges"), timeout_s=self.timeout_s) as child:
            for index in kept:
                child.see(self.samples.names[index], self.samples.feed(int(index)))
            return {key: _only_range(low, high) for key, (low, high) in child.ranges().items()}, ()


def _inputs(model: object) -> int:
    """How many float inputs the model has; they come first in ``main_keys``."""
    main = model.subgraphs[0]  # type: ignore[attr-defined]
    return sum(flatbuffer.dtype_name(main.tensors[int(index)].type) == "float32" for index in main.inputs)


def _edges(lows: Array, highs: Array) -> tuple[float, float]:
    """From where to where to count; inside the smallest and largest value."""
    low = max(float(lows.min()), BEYOND * min(0.0, float(np.quantile(lows, 1 - USUAL))))
    high = min(float(highs.max()), BEYOND * max(0.0, float(np.quantile(highs, USUAL))))
    # All positive or all negative: 0 says nothing there.
    return (low if lows.min() < 0 else float(lows.min())), (high if highs.max() > 0 else float(highs.max()))


def _tensor(
    place: int, lows: Array, highs: Array, edges: tuple[float, float], found: dict[str, Array]
) -> TensorStatistics:
    counts = found["counts"][place]
    sums = found.get(f"{place}/sums")
    return TensorStatistics(
        lows=lows,
        highs=highs,
        edges=edges,
        counts=counts[1:-1],
        below=int(counts[0]),
        above=int(counts[-1]),
        channel_lows=found.get(f"{place}/lows"),
        channel_highs=found.get(f"{place}/highs"),
        channel_means=None if sums is None else means(sums, edges, len(lows)),
    )


def _only_range(low: float, high: float) -> TensorStatistics:
    return TensorStatistics(
        np.array([low], np.float32), np.array([high], np.float32), (low, high), np.zeros(0, np.int64), 0, 0
    )
