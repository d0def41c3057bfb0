"""Random calibration samples, for trying the line out without data. The result is marked as random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.graph.model import Array

RANDOM = "random"


def random_feeds(inputs: Sequence[TensorFact], count: int, seed: int) -> Iterator[tuple[str, dict[str, Array]]]:
    """``count`` samples, the same for the same seed: (name, arrays by input name).

    Floats are uniform in −1…1, integers 0 or 1; a dimension of unknown size counts as 1.
    """
    for number in range(count):
        generator = np.random.default_rng((seed, number))
        yield f"random {number}", {fact.name: _values(fact, generator) for fact in inputs}


def _values(fact: TensorFact, generator: np.random.Generator) -> Array:
    shape = tuple(max(size, 1) for size in fact.shape)
    if fact.dtype == "string":
        return np.full(shape, b"", dtype=object)
    kind = np.dtype(fact.dtype)
    if kind.kind == "f":
        return generator.uniform(-1, 1, shape).astype(kind)
    return generator.integers(0, 2, shape).astype(kind)
