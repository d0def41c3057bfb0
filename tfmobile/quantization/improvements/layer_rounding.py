"""Round the weights of one layer after the other, and correct their biases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfmobile.graph.model import Array, Graph
from tfmobile.quantization.improvements import rounding_solver as solver
from tfmobile.quantization.improvements.draft import Improved
from tfmobile.quantization.improvements.rounding_frontier import Passage, Stop
from tfmobile.quantization.improvements.rounding_moments import moments, trusted, windows
from tfmobile.quantization.improvements.weight_grids import WeightGrid, from_rows, grid_of
from tfmobile.quantization.improvements.weighted_layers import WeightEdits, WeightedLayer, weighted_layers
from tfmobile.quantization.simulation.shift_tracking import FENCE

RIDGE = 0.01
"""Part of the mean square of a layer's inputs that is added to each: for directions that the samples do not show."""
ROOM = 2**25
"""How many numbers of what a layer reads are looked at."""
MOST_INPUTS = 6144
"""Weights of a channel that are rounded together; time and memory grow with their cube and square."""
REACH_OF_ONE_SCALE = 1
"""Steps further than to the next whole number that weights may go where all channels share one scale: for the small
channels it is so coarse that a larger step of one weight can make up for those of others. Elsewhere this only fits the
samples more closely than others."""
LARGEST = 2**31 - 1
"""A bias is stored as an int32 number of steps."""


@dataclass(frozen=True)
class Sample:
    """Of a layer: rows ``x`` [G, rows, K] that it reads and ``y`` [G, rows, C] that they should give, both in steps.

    ``targets`` [samples, channels]: what it should give on average, in real values.
    """

    x: Array
    y: Array
    targets: Array


@dataclass(frozen=True)
class Rounded:
    """A layer that was rounded. ``error``: of its sums, over that of rounding to the nearest. ``moved`` of ``weights``
    went to the other side."""

    name: str
    weights: int
    moved: int
    error: float


class Rounding:
    """The layers of a draft's graph, rounded one after the other."""

    def __init__(self, graph: Graph) -> None:
        layers, left = weighted_layers(graph)
        self._layers = {layer.node.name: layer for layer in layers}
        self._edits = WeightEdits(graph)
        self._random = np.random.default_rng(0)
        self._skipped = list(left)
        self._rounded: list[Rounded] = []

    def visit(self, stop: Stop, passage: Passage, rows: int) -> None:
        """Round the layer, looking at so many rows of it; one that cannot be rounded is passed as it is."""
        found = _look(stop, passage, rows, self._random)
        layer = self._layers.pop(stop.layer.node, None)
        if layer is None:  # said already when it was found
            passage.pass_on(passage.weights, passage.bias)
            return
        grid = grid_of(layer, self._edits.weights(layer), np.array(stop.layer.weight_scales))
        reason = _unfit(grid, passage.weights)
        if reason:
            self._skipped.append(f"Left the weights of '{layer.name}' as they are: {reason}.")
            passage.pass_on(passage.weights, passage.bias)
            return
        self._round(layer, grid, stop, passage, found)

    def finish(self) -> Improved:
        """The graph with all changes."""
        reason = "the quantized model does not compute it as one integer layer"
        for layer in self._layers.values():
            self._skipped.append(f"Left the weights of '{layer.name}' as they are: {reason}.")
        if not self._rounded:
            return Improved(skipped=tuple(self._skipped))
        moved, weights = (sum(getattr(one, key) for one in self._rounded) for key in ("moved", "weights"))
        best = min(self._rounded, key=lambda one: one.error)
        summary = (
            f"Rounded the weights of {len(self._rounded)} layers, {100 * moved / weights:.0f} % of them not to the "
            f"nearest step; the error of the sums is down to {100 * best.error:.0f} % in '{best.name}'."
        )
        facts = {"layers": float(len(self._rounded)), "moved_weights": float(moved), "weights": float(weights)}
        graph = self._edits.finish()
        changed = (summary, *self._edits.copied)
        return Improved(graph, compensates=True, changed=changed, skipped=tuple(self._skipped), facts=facts)

    def _round(self, layer: WeightedLayer, grid: WeightGrid, stop: Stop, passage: Passage, found: Sample) -> None:
        problem = problem_of(grid, found.x, found.y, centred=layer.bias is not None)
        plain, chosen = solver.nearest(problem), solver.solve(problem)
        rows = chosen.swapaxes(1, 2).reshape(grid.steps.shape)
        whole = rows.T.reshape(passage.weights.shape).astype(np.float32)
        passage.pass_on(whole, self._corrected(layer, stop, passage, whole, found.targets))
        before = self._edits.weights(layer)
        new = np.where(grid.usual[:, None], grid.real(rows), layer.by_output(before))
        self._edits.set_weights(layer, from_rows(layer, new, before.shape))
        error = problem.error(chosen).sum() / max(problem.error(plain).sum(), 1e-30)
        self._rounded.append(Rounded(layer.name, chosen.size, int(np.count_nonzero(chosen != plain)), float(error)))

    def _corrected(
        self, layer: WeightedLayer, stop: Stop, passage: Passage, weights: Array, targets: Array
    ) -> Array | None:
        """The layer's bias in steps, without the mean error that is left; also noted in real values."""
        if passage.bias is None or layer.bias is None:
            return passage.bias
        step = stop.step.astype(np.float64)
        sums = np.concatenate([_by_sample(one, count) for one, count in passage.sums(weights, passage.bias)])
        new = self._edits.bias(layer) - _robust_mean(sums * step - targets)
        if np.isfinite(new).all() and np.all(np.abs(new) <= LARGEST * step):
            self._edits.set_bias(layer, new)
            return np.rint(new / step).astype(np.float32).reshape(passage.bias.shape)
        self._skipped.append(f"Left the bias of '{layer.name}' as it is: the new one would not fit into 32 bits.")
        return passage.bias


def _look(stop: Stop, passage: Passage, rows: int, random: np.random.Generator) -> Sample:
    """What the layer reads and should give, at so many positions or as many as there is room for."""
    reads = windows(stop.product, passage.weights)
    each = -(-min(rows, max(1, ROOM // reads.numbers)) // passage.batches)
    scale = stop.step[0] / np.float32(stop.layer.weight_scales[0])
    found, targets = [], []
    for one in passage.read():
        found.append(reads.rows(np.rint(one.data / scale), one.target / stop.step, each, random))
        targets.append(_by_sample(one.target, one.samples))
    x, y = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    weights = _grouped(passage.weights.reshape(-1, y.shape[0] * y.shape[2]), len(x))
    return Sample(*trusted(x, y, weights), np.concatenate(targets))


def _unfit(grid: WeightGrid, stored: Array) -> str:
    """Why the layer cannot be rounded, or nothing."""
    if grid.steps.shape[1] > MOST_INPUTS:
        return f"a channel has {grid.steps.shape[1]:,} weights, too many to round them together"
    if grid.steps.size != stored.size:
        return "the quantized model has others"
    if np.abs(np.rint(grid.steps) - stored.reshape(-1, len(grid.steps)).T).max(initial=0.0) > 1:
        return "those of the quantized model are not the graph's"
    return ""


def problem_of(grid: WeightGrid, x: Array, y: Array, *, centred: bool) -> solver.Problem:
    """How to round a layer that reads ``x`` [G, rows, K] and should give ``y`` [G, rows, C], both in steps.

    Weights may go up or down to the next whole number (see REACH_OF_ONE_SCALE); those that make the scales stay what
    they are. ``centred``: a bias takes the mean error away. Without one, it has to be small, too.
    """
    rows = np.where(grid.kept | ~grid.usual[:, None], np.rint(grid.steps), grid.steps)
    weights = _grouped(rows.T, len(x))
    of = moments(x, y)
    xx = of.xx if centred else of.xx + of.x[:, :, None] * of.x[:, None, :]
    xy = of.xy if centred else of.xy + of.x[:, :, None] * of.y[:, None, :]
    size = xx.shape[1]
    ridge = RIDGE * np.maximum(np.trace(xx, axis1=1, axis2=2) / size, 1e-6)[:, None, None]
    hessian = xx + ridge * np.eye(size)
    solution = np.linalg.solve(hessian, xy + ridge * weights)
    low, high = np.floor(weights), np.ceil(weights)
    if grid.scales.size == 1 and grid.steps.shape[0] > 1:
        free = low < high
        low = np.where(free, np.maximum(low - REACH_OF_ONE_SCALE, -grid.levels), low)
        high = np.where(free, np.minimum(high + REACH_OF_ONE_SCALE, grid.levels), high)
    return solver.Problem(hessian, weights, solution, low, high)


def _grouped(weights: Array, groups: int) -> Array:
    """[weights of each, channels] → [G, weights of each, channels of a group]."""
    return weights.reshape(len(weights), groups, -1).swapaxes(0, 1)


def _by_sample(values: Array, samples: int) -> Array:
    """Means over all but samples and channels, [samples, channels], float64."""
    return np.asarray(values.reshape(samples, -1, values.shape[-1]).mean(axis=1, dtype=np.float64))


def _robust_mean(values: Array) -> Array:
    """The mean over the first axis, values that lie far out clipped; see ``shift_tracking``."""
    ordered = np.sort(values, axis=0)
    cut = len(values) // 8
    if not cut:
        return np.asarray(values.mean(axis=0))
    low, high = ordered[cut], ordered[-1 - cut]
    reach = FENCE * (high - low)
    return np.asarray(np.clip(values, low - reach, high + reach).mean(axis=0))
