"""Samples to verify with when none are given: random, and the same every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmobile.graph.model import Array, Graph, TensorSpec
from tfmobile.graph.text_parser import np_dtype

COUNT = 2
_DYNAMIC = 16
"""What stands in for a dynamic dimension that is not the batch."""


def random_samples(graph: Graph, count: int = COUNT) -> list[Mapping[str, Array]]:
    """``count`` samples by input key; none when an input's rank is not known. Floats lie in −1 to 1."""
    return random_values(graph.inputs, count)


def random_values(inputs: Sequence[TensorSpec], count: int = COUNT) -> list[Mapping[str, Array]]:
    """The same for these inputs, whatever they belong to."""
    if any(spec.shape is None for spec in inputs):
        return []
    generator = np.random.default_rng(0)
    return [{spec.key: _values(spec, generator) for spec in inputs} for _ in range(count)]


def _values(spec: TensorSpec, generator: np.random.Generator) -> Array:
    shape = tuple(
        size if size is not None else (1 if axis == 0 else _DYNAMIC) for axis, size in enumerate(spec.shape or ())
    )
    if spec.dtype == "string":
        return np.full(shape, b"a", object)
    dtype = np_dtype(spec.dtype)
    if dtype.kind == "b":
        return np.zeros(shape, bool)
    if dtype.kind in "iu":
        return generator.integers(0, 256 if dtype == np.uint8 else 4, shape).astype(dtype)
    return np.asarray(generator.uniform(-1, 1, shape)).astype(dtype)
