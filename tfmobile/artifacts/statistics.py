"""What the tensors of a float .tflite hold over calibration samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfmobile.graph.model import Array


@dataclass(frozen=True)
class TensorStatistics:
    """One float tensor over all samples that were not set aside; arrays are float32 unless said.

    ``lows`` and ``highs`` [samples]: the smallest and largest value in each sample, in the order of
    ``Statistics.samples``. ``counts`` [bins] int64: a histogram of values (of every n-th, where there are many) between
    ``edges``; ``below`` and ``above`` count those outside. ``channel_lows``, ``channel_highs``, ``channel_means``
    [channels]: by the last axis; None where there is none, or too many.
    """

    lows: Array
    highs: Array
    edges: tuple[float, float]
    counts: Array
    below: int
    above: int
    channel_lows: Array | None = None
    channel_highs: Array | None = None
    channel_means: Array | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return float(self.lows.min()), float(self.highs.max())


@dataclass(frozen=True)
class Statistics:
    """By calibration key (the name of the tensor in the float .tflite). Does not depend on the order of samples.

    ``samples``: names of those that were used, in the order of their content's digest. ``set_aside``: a sentence for
    each sample that was not, because it is unlike all others. ``notes``: what else the user should know.
    """

    tensors: Mapping[str, TensorStatistics]
    samples: tuple[str, ...]
    set_aside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
