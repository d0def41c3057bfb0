"""What a look at every sample of a set tells: a few numbers each, never the samples themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tfmobile.datasets.stored import digest
from tfmobile.graph.model import Array

SKETCH = 256
"""Values of the small copy that near repeats are found by."""


@dataclass(frozen=True)
class Survey:
    """Facts of the samples of one set; arrays are [samples], float64 unless said.

    ``what``: what the set is called in messages, such as ``calibration samples``. ``digests``: equal for equal samples.
    ``lows``, ``highs``, ``means``, ``deviations``: of the values of the largest input; NaN where it is not finite.
    ``finite``, ``constant`` bool: over all inputs. ``sketches`` [samples, ≤ 256] float32: means of even pieces of the
    largest input. ``predictions`` int64: the float model's first answer, −1 where it was not asked, None where its
    outputs are no classes.
    ``copies_removed``: how many samples were left out before because another one has exactly the same values.
    """

    what: str
    names: tuple[str, ...]
    labels: tuple[int | None, ...]
    digests: tuple[str, ...]
    lows: Array
    highs: Array
    means: Array
    deviations: Array
    finite: Array
    constant: Array
    sketches: Array
    predictions: Array | None = None
    copies_removed: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labelled(self) -> Array:
        """Positions of the samples that have a class, int64."""
        return np.array([index for index, label in enumerate(self.labels) if label is not None], np.int64)


def survey(
    samples: Iterable[tuple[str, object, Mapping[str, Array]]],
    *,
    what: str = "calibration samples",
    predictions: Array | None = None,
    copies_removed: int = 0,
) -> Survey:
    """Look at (name, label, preprocessed arrays by input key) once, one at a time.

    Labels that are no class numbers count as none. ``predictions`` [samples]: see ``Survey``.
    """
    names, labels, digests, sketches = [], [], [], []
    facts: list[tuple[float, float, float, float]] = []
    flags: list[tuple[bool, bool]] = []
    for name, label, feed in samples:
        names.append(name)
        labels.append(int(label) if isinstance(label, (int, np.integer)) else None)
        digests.append(digest(feed))
        flags.append(_flags(feed))
        main = _largest(feed)
        facts.append(_numbers(main))
        sketches.append(_sketch(main))
    numbers = np.array(facts, np.float64).reshape(-1, 4)
    finite, constant = np.array(flags, bool).reshape(-1, 2).T
    same = len({sketch.shape for sketch in sketches}) == 1
    return Survey(
        what,
        tuple(names),
        tuple(labels),
        tuple(digests),
        numbers[:, 0],
        numbers[:, 1],
        numbers[:, 2],
        numbers[:, 3],
        finite,
        constant,
        np.array(sketches) if same else np.zeros((len(names), 0), np.float32),
        None if predictions is None else np.asarray(predictions, np.int64),
        copies_removed,
    )


def _largest(feed: Mapping[str, Array]) -> Array:
    """The values of the largest input, flat, float32; of equal ones the first by key."""
    key = max(sorted(feed), key=lambda one: np.asarray(feed[one]).size)
    array = np.asarray(feed[key])
    return array.reshape(-1).astype(np.float32) if array.dtype.kind in "fiub" else np.zeros(1, np.float32)


def _flags(feed: Mapping[str, Array]) -> tuple[bool, bool]:
    """Whether all values are finite; whether every input is one value over and over (a single number never is)."""
    arrays = [np.asarray(value) for value in feed.values()]
    finite = all(array.dtype.kind != "f" or bool(np.isfinite(array).all()) for array in arrays)
    wide = [array for array in arrays if array.size > 1 and array.dtype.kind in "fiu"]
    return finite, bool(wide) and all(bool((array == array.flat[0]).all()) for array in wide)


def _numbers(values: Array) -> tuple[float, float, float, float]:
    if not values.size or not np.isfinite(values).all():
        return (np.nan,) * 4
    wide = values.astype(np.float64)
    return float(values.min()), float(values.max()), float(wide.mean()), float(wide.std())


def _sketch(values: Array) -> Array:
    if values.size <= SKETCH:
        return values
    starts = np.arange(SKETCH) * values.size // SKETCH
    lengths = np.diff(np.append(starts, values.size))
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.add.reduceat(values, starts) / lengths, np.float32)
