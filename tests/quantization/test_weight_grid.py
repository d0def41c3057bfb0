from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tfmobile.graph.model import Array
from tfmobile.quantization.weight_grid import LEVELS, best_grid

WEIGHTS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=4, max_side=6),
    elements=st.floats(-4, 4, width=32).map(lambda value: 0.0 if abs(value) < 1e-3 else value),
)


def min_max(weights: Array) -> Array:
    channels = weights.reshape(weights.shape[0], -1)
    scale = np.maximum(np.abs(channels).max(axis=1, keepdims=True) / LEVELS, 1e-30)
    return (np.rint(channels / scale) * scale).reshape(weights.shape)


@given(WEIGHTS)
def test_the_squared_error_is_never_above_that_of_min_max(weights: Array) -> None:
    ours = np.square(best_grid(weights) - weights).sum()
    assert ours <= np.square(min_max(weights) - weights).sum() * (1 + 1e-5) + 1e-9


@given(WEIGHTS)
def test_min_max_reproduces_the_grid(weights: Array) -> None:
    grid = best_grid(weights)
    np.testing.assert_allclose(min_max(grid), grid, rtol=1e-5, atol=1e-30)


def test_an_outlier_is_clipped() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 400)).astype(np.float32)
    weights[0, 0] = 8.0
    assert np.abs(best_grid(weights)).max() < 8.0
