from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tfmobile.graph.model import Array
from tfmobile.quantization.weight_grid import LEVELS, best_scale, keep_sums, snap

WEIGHTS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=4, max_side=6),
    elements=st.floats(-4, 4, width=32).map(lambda value: 0.0 if abs(value) < 1e-3 else value),
)


def rows(weights: Array) -> Array:
    return weights.reshape(weights.shape[0], -1)


def min_max_scale(channels: Array) -> Array:
    return np.maximum(np.abs(channels).max(axis=1, keepdims=True) / LEVELS, 1e-30)


def squared_error(channels: Array, scale: Array) -> float:
    levels = np.clip(np.rint(channels / scale), -LEVELS, LEVELS)
    return float(np.square(levels * scale - channels).sum())


@given(WEIGHTS)
def test_the_squared_error_of_the_scale_is_never_above_that_of_min_max(weights: Array) -> None:
    channels = rows(weights)
    least = squared_error(channels, best_scale(channels))
    assert least <= squared_error(channels, min_max_scale(channels)) * (1 + 1e-4) + 1e-9


@given(WEIGHTS)
def test_min_max_reproduces_the_grid(weights: Array) -> None:
    grid = rows(snap(weights))
    scale = min_max_scale(grid)
    np.testing.assert_allclose(np.rint(grid / scale) * scale, grid, rtol=1e-5, atol=1e-30)


def test_the_errors_of_a_channel_cancel() -> None:
    weights = np.random.default_rng(0).normal(0.1, 1, (8, 3, 3, 16)).astype(np.float32)
    channels = rows(weights)
    scale = best_scale(channels)
    inside = np.abs(channels / scale) <= LEVELS  # clipped elements cannot be moved
    error = np.where(inside, rows(snap(weights)) - channels, 0).sum(axis=1) / scale[:, 0]
    nearest = np.where(inside, np.rint(channels / scale) * scale - channels, 0).sum(axis=1) / scale[:, 0]
    assert np.abs(error).mean() < np.abs(nearest).mean()


def test_the_furthest_roundings_flip_first() -> None:
    wanted = np.array([[0.4, 0.45, 0.3, 0.05]])
    levels = np.rint(wanted)
    assert keep_sums(levels, wanted).tolist() == [[0.0, 1.0, 0.0, 0.0]]


def test_a_sum_that_is_right_is_left_alone() -> None:
    wanted = np.array([[0.4, -0.4, 2.1]])
    levels = np.rint(wanted)
    assert np.array_equal(keep_sums(levels, wanted), levels)


def test_an_outlier_is_clipped() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 400)).astype(np.float32)
    weights[0, 0] = 8.0
    assert np.abs(snap(weights)).max() < 8.0
