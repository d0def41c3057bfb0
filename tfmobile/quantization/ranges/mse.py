"""The range with the smallest squared error of rounding and clipping together."""

from __future__ import annotations

import numpy as np

from tfmobile.artifacts import TensorStatistics
from tfmobile.graph.model import Array
from tfmobile.quantization.ranges.min_max import min_max
from tfmobile.scheme.int8 import Range

STEPS = 255
CLIPPING = 3.0
"""How much more an error by clipping counts: it hits the values that decide (as AIMET has it)."""
FRACTIONS = np.concatenate([[1.0], np.linspace(0.99, 0.02, 98)])
"""Of the largest and of the smallest value; all pairs are tried."""


def mse(tensor: TensorStatistics) -> Range:
    """Of a grid of lows and highs, the pair of least ``cost``; the wider range where two are equal."""
    widest = min_max(tensor)
    if not tensor.counts.sum():
        return widest
    lows, highs = (np.unique(bound * FRACTIONS)[:: 1 if bound < 0 else -1] for bound in widest)
    values, weights = points(tensor)
    found = costs(values, weights, lows, highs)
    low, high = np.unravel_index(int(found.argmin()), found.shape)
    return float(lows[low]), float(highs[high])


def cost(tensor: TensorStatistics, range_: Range) -> float:
    """Sum of squared errors over all values: of rounding, plus CLIPPING times that of clipping."""
    values, weights = points(tensor)
    return float(costs(values, weights, np.array(range_[:1]), np.array(range_[1:]))[0, 0])


def costs(values: Array, weights: Array, lows: Array, highs: Array) -> Array:
    """[lows, highs]: the cost of every pair of a low and a high."""
    clipped_low = np.array([np.dot(weights, np.square(np.minimum(values - low, 0))) for low in lows])
    clipped_high = np.array([np.dot(weights, np.square(np.maximum(values - high, 0))) for high in highs])
    below = np.array([weights[values < low].sum() for low in lows])
    above = np.array([weights[values > high].sum() for high in highs])
    rounded = weights[values != 0].sum() - below[:, None] - above[None, :]  # 0 is always met exactly
    step = (highs[None, :] - lows[:, None]) / STEPS
    total: Array = rounded * step**2 / 12 + CLIPPING * (clipped_low[:, None] + clipped_high[None, :])
    return total


def points(tensor: TensorStatistics) -> tuple[Array, Array]:
    """Values and how often each occurs: the middles of bins, 0 for the bin that holds it, and what lies outside.

    Outside of the edges it is known only how far samples reach: their extremes stand for all that is there.
    """
    edges = np.linspace(*tensor.edges, len(tensor.counts) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    middles[(edges[:-1] <= 0) & (edges[1:] > 0)] = 0.0
    low = float(np.mean(tensor.lows[tensor.lows < tensor.edges[0]])) if tensor.below else tensor.edges[0]
    high = float(np.mean(tensor.highs[tensor.highs > tensor.edges[1]])) if tensor.above else tensor.edges[1]
    return np.concatenate([[low], middles, [high]]), np.concatenate([[tensor.below], tensor.counts, [tensor.above]])
