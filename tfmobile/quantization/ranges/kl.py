"""The range in which 256 steps tell most of the distribution: entropy calibration.

S. Migacz, 8-bit Inference with TensorRT, GPU Technology Conference 2017; here for ranges that need not be symmetric.
"""

from __future__ import annotations

import numpy as np

from tfmobile.artifacts import TensorStatistics
from tfmobile.graph.model import Array
from tfmobile.quantization.ranges.min_max import min_max
from tfmobile.quantization.ranges.mse import points
from tfmobile.scheme.int8 import Range

LEVELS = 256
CANDIDATES = 96
SMALLEST = 1e-9


def kl(tensor: TensorStatistics) -> Range:
    """Of limits to |value|, the one where the distribution with all beyond put at the limit (P) and the same in LEVELS
    steps (Q) differ least, by the Kullback-Leibler divergence of Q from P. The bin of 0 is left out.
    """
    widest = min_max(tensor)
    if tensor.counts.sum() == 0 or len(tensor.counts) <= LEVELS or widest == (0.0, 0.0):
        return widest
    values, weights = points(tensor)
    weights = np.where(values == 0, 0.0, weights)
    limit = max(-widest[0], widest[1])
    best, least = widest, np.inf
    smallest = min(limit, (tensor.edges[1] - tensor.edges[0]) * LEVELS / len(tensor.counts))
    for most in np.geomspace(limit, max(smallest, SMALLEST * limit), CANDIDATES):
        low, high = max(widest[0], -most), min(widest[1], most)
        found = _divergence(values, weights, low, high)
        if found < least - SMALLEST:
            best, least = (float(low), float(high)), found
    return best


def _divergence(values: Array, weights: Array, low: float, high: float) -> float:
    """KL(P ‖ Q) in nats."""
    inside = np.flatnonzero((values >= low) & (values <= high))
    kept = weights[inside]
    if not kept.sum() or not high > low:
        return np.inf
    reference = kept.astype(np.float64)
    reference[0] += weights[: inside[0]].sum()
    reference[-1] += weights[inside[-1] + 1 :].sum()
    level = np.minimum(((values[inside] - low) / (high - low) * LEVELS).astype(np.intp), LEVELS - 1)
    seen = kept > 0
    masses, sizes = (np.bincount(level, some, LEVELS) for some in (kept, seen.astype(np.float64)))
    spread = np.where(seen, (masses / np.maximum(sizes, 1))[level], 0.0)
    wanted = reference > 0
    p = reference[wanted] / reference.sum()
    q = np.maximum(spread[wanted] / spread.sum(), SMALLEST)
    return float(np.sum(p * np.log(p / q)))
