"""Refuse calibration samples that would give a model that is wrong or does not load, with the sample named."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfmobile.errors import DataError
from tfmobile.graph.model import Array

FEW = 50
NAMED = 5
CONSTANT = "Calibration sample"


class SampleChecks:
    """Sees every sample once.

    ``varied`` turns True with the first proof that the data are neither all constant nor all equal.
    """

    def __init__(self, *, varied: bool = False) -> None:
        self.varied = varied
        self.constant: list[str] = []
        self._first: tuple[str, dict[str, Array]] | None = None
        self._different = varied
        self._textured = varied

    def see(self, name: str, feed: Mapping[str, Array]) -> None:
        """Raises DataError for NaN or infinity."""
        constant = [self._is_constant(name, key, np.asarray(value)) for key, value in feed.items()]
        if constant and all(constant):
            self.constant.append(name)
        else:
            self._textured = True
        if self._first is None:
            self._first = name, {key: np.array(value) for key, value in feed.items()}
        elif not self._different:
            self._different = not _equal(self._first[1], feed)
        self.varied = self._different and self._textured

    def _is_constant(self, name: str, key: str, value: Array) -> bool:
        """Whether the array is one value over and over; a single number never is."""
        if value.dtype.kind not in "fiu" or value.size == 0:
            return False
        low, high = value.min(), value.max()
        if value.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
            raise DataError(
                f"Calibration sample '{name}' holds {'NaN' if np.isnan(low) else 'infinity'}.",
                why=f"In input '{key}'. A range with NaN makes a file that crashes the runtime.",
                fixes=["Remove the sample, or correct it.", "Check --std: a 0 there divides by zero."],
            )
        return bool(value.size > 1 and low == high)

    def finish(self, samples: int) -> None:
        """After the last sample; raises DataError when there was none, or nothing varies."""
        if samples == 0:
            raise DataError(
                "There are no calibration samples.",
                why="The data set is empty.",
                fixes=["Give 100 to 500 samples: --calibrate-with DIR"],
            )
        if self.varied or self._first is None:
            return
        first = self._first[0]
        if not self._textured:
            raise DataError(
                f"All calibration samples are constant: every value of '{first}' is the same, and so in all others.",
                why="Ranges from constant data are meaningless.",
                fixes=["Check that the files hold real data, and the preprocessing (--mean, --std)."],
            )
        if samples > 1:
            raise DataError(
                f"All {samples} calibration samples are the same as '{first}'.",
                why="A generator that restarts, or one file copied, gives ranges of a single sample.",
                fixes=["Check that the data source moves on to the next sample."],
            )

    def notes(self, samples: int, earlier: tuple[str, ...] = ()) -> tuple[str, ...]:
        """What the user should know about the samples; ``earlier`` are the notes of the samples before these."""
        few = [f"Calibrated on only {samples} sample{'s' * (samples != 1)}; 100 to 500 are usual."]
        constant = [f"{CONSTANT} '{name}' is one constant value." for name in self.constant]
        kept = [note for note in earlier if note.startswith(CONSTANT)]
        return (*(few if samples < FEW else ()), *[*kept, *constant][:NAMED])


def _equal(first: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return first.keys() == other.keys() and all(np.array_equal(first[key], other[key]) for key in first)
