"""Causes that lie in the range of a layer's output: what it holds, and what its grid can hold."""

from __future__ import annotations

import numpy as np

from tfmobile.artifacts import TensorStatistics
from tfmobile.diagnosis.evidence import LayerEvidence
from tfmobile.diagnosis.signs import Sign, leave_float, number, percent, ramp, span
from tfmobile.diagnosis.structure import INPUT, MOVES

FIXED = frozenset({"SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION"})
"""Operators whose grid is always the same."""
KEEPS_GRID = MOVES | {"AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"}
"""Operators whose output has the grid of their input: what is wrong with it is said there."""
JOINS = frozenset({"CONCATENATION", "PACK"})
SWISH_MINIMA = (-0.375, -0.2785, -0.17)
"""The smallest values of hard-swish, swish and GELU."""
BULK = 0.999
"""The part of all values that should decide the range."""


def outlier_channel(evidence: LayerEvidence) -> Sign | None:
    """One channel, or a few, reach far beyond all others."""
    reach, layer = evidence.reach, evidence.layer
    live = reach[reach > 0]
    if live.size < 4 or layer.op in KEEPS_GRID or not layer.grid.scale:
        return None
    usual = float(np.quantile(live, 0.9, method="lower")) if live.size >= 10 else float(np.median(live))
    ratio = float(live.max()) / usual
    strength = ramp(ratio, 3.0, 20.0)
    if not strength:
        return None
    few = np.flatnonzero(reach > 2 * usual)
    named = ", ".join(str(channel) for channel in few[np.argsort(-reach[few])][:3])
    return Sign(
        strength,
        f"Channel{'s' if few.size > 1 else ''} {named} of {reach.size} reach{'' if few.size > 1 else 'es'} "
        f"{number(float(reach.max()))}, the others {number(usual)}: "
        f"they have {evidence.steps / ratio:.0f} of {evidence.steps:.0f} steps.",
        "scale the channels alike before the model" if layer.op == INPUT else leave_float(layer.name),
        ("choose-ranges",) if layer.op == INPUT else ("equalize", "split-channels"),
    )


def clipped_range(evidence: LayerEvidence) -> Sign | None:
    """Its range is too narrow: values beyond it are cut off."""
    error, layer = evidence.error, evidence.layer
    if error is None or not layer.grid.scale or layer.op in FIXED | KEEPS_GRID:
        return None
    if error.clipped < 1e-4 or error.clipped_share < 0.1 or error.rmse_per_scale < 0.4:
        return None
    return Sign(
        ramp(error.clipped_share, 0.1, 0.6),
        f"{percent(error.clipped)} of its values lie outside {span(layer.grid.range)} (calibration saw "
        f"{span(evidence.held)}) and are cut off: {percent(error.clipped_share)} of its squared error.",
        "Calibrate with samples like those the model will meet (--calibrate-with), or take a wider range "
        '(ranges = "min-max" in the recipe)',
    )


def stretched_range(evidence: LayerEvidence) -> Sign | None:
    """Rare values stretch its range far beyond where almost all values are."""
    layer = evidence.layer
    if evidence.statistics is None or layer.op in FIXED | KEEPS_GRID or layer.op == INPUT or not layer.grid.scale:
        return None
    ratio, bulk = _stretch(evidence)
    strength = ramp(ratio, 2.5, 16.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"{100 * BULK:g} % of its values lie in {span(bulk)}, its range is {span(evidence.held)}: they have "
        f"{evidence.steps / ratio:.0f} of {evidence.steps:.0f} steps.",
        leave_float(layer.name),
        ("choose-ranges",),
    )


def stretched_input(evidence: LayerEvidence) -> Sign | None:
    """Rare values stretch the range of the model's input."""
    layer, found = evidence.layer, evidence.statistics
    if layer.op != INPUT or found is None or found.lows.size < 8 or not layer.grid.scale:
        return None
    usual = min(float(np.median(found.lows)), 0.0), max(float(np.median(found.highs)), 0.0)
    low, high = evidence.held
    ratio, bulk = _stretch(evidence)
    by_samples = (high - low) / max(usual[1] - usual[0], 1e-30)
    strength = max(ramp(ratio, 2.0, 12.0), ramp(by_samples, 2.0, 12.0))
    if not strength:
        return None
    where = f"{100 * BULK:g} % of the values lie in {span(bulk)}"
    if by_samples > ratio:
        where = f"half of the samples stay within {span(usual)}"
    return Sign(
        strength,
        f"The range of the input is {span((low, high))}, but {where}: they have "
        f"{evidence.steps / max(ratio, by_samples):.0f} of {evidence.steps:.0f} steps.",
        "clip these values before they are fed to the model",
        ("choose-ranges",),
    )


def unused_range(evidence: LayerEvidence) -> Sign | None:
    """Its grid reaches far beyond all values that it ever holds."""
    layer = evidence.layer
    if evidence.statistics is None or layer.op in FIXED | KEEPS_GRID or not layer.grid.scale:
        return None
    if JOINS.intersection(evidence.readers):
        return None  # the grid is that of what it is joined with, and said there
    low, high = layer.grid.range
    strength = ramp((high - low) / max(_width(evidence), 1e-30), 1.8, 8.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"Calibration saw {span(evidence.held)}, its grid is made for {span((low, high))}: the values have "
        f"{evidence.steps:.0f} of 255 steps.",
        "Measure its range on these samples instead of bringing one along",
        ("choose-ranges",),
    )


def large_offset(evidence: LayerEvidence) -> Sign | None:
    """Its values vary little around a large offset, and the range has to reach from there to 0."""
    layer, found = evidence.layer, evidence.statistics
    if found is None or found.channel_lows is None or found.channel_highs is None or layer.op in FIXED | KEEPS_GRID:
        return None
    spread = float((found.channel_highs - found.channel_lows).max(initial=0.0))
    if not spread or not layer.grid.scale or found.channel_lows.size < 2:
        return None
    strength = ramp(_width(evidence) / spread, 2.5, 16.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"No channel varies by more than {number(spread)}, but the range is {span(evidence.held)}: that is "
        f"{spread / layer.grid.scale:.0f} of {evidence.steps:.0f} steps.",
        leave_float(layer.name),
        ("absorb-bias",),
    )


def join_of_unlike_ranges(evidence: LayerEvidence) -> Sign | None:
    """It joins tensors of very different ranges, which must share one scale."""
    layer = evidence.layer
    inputs = [one for one in evidence.inputs if one.held[1] > one.held[0] and one.statistics is not None]
    if layer.op not in JOINS or len(inputs) < 2 or not layer.grid.scale:
        return None
    wide = max(inputs, key=_width)
    narrow = min(inputs, key=_width)
    ratio = _width(wide) / _width(narrow)
    strength = ramp(ratio, 4.0, 32.0)
    if not strength:
        return None
    advice = leave_float(layer.name)
    if layer.answer:
        advice = (
            f"Give the model its parts as outputs of their own (--output), so that each keeps its scale, or {advice}"
        )
    return Sign(
        strength,
        f"It joins '{narrow.layer.name}' ({span(narrow.held)}) with '{wide.layer.name}' ({span(wide.held)}): the "
        f"narrow one is left {255 / ratio:.0f} of 255 steps.",
        f"{advice}, or scale the parts alike before it",
        impact=max(one.impact for one in (evidence, *inputs)),
    )


def sum_of_unlike_ranges(evidence: LayerEvidence) -> Sign | None:
    """It adds tensors of very different ranges: the small one is lost in the steps of the sum."""
    layer = evidence.layer
    inputs = [one for one in evidence.inputs if one.held[1] > one.held[0] and one.statistics is not None]
    if layer.op not in ("ADD", "SUB") or len(inputs) != 2 or not layer.grid.scale:
        return None
    narrow, wide = sorted(inputs, key=_width)
    ratio = _width(wide) / _width(narrow)
    strength = 0.7 * ramp(ratio, 8.0, 64.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"It adds '{narrow.layer.name}' ({span(narrow.held)}) to '{wide.layer.name}' ({span(wide.held)}): the "
        f"small one spans {_width(narrow) / layer.grid.scale:.0f} steps of the sum.",
        f"{leave_float(layer.name)}, or take --recipe int16x8",
    )


def pool_shares_scale(evidence: LayerEvidence) -> Sign | None:
    """An average pool has to use its input's scale, although averages span much less."""
    layer = evidence.layer
    if layer.op != "AVERAGE_POOL_2D" or evidence.statistics is None or not layer.grid.scale:
        return None
    low, high = layer.grid.range
    ratio = (high - low) / max(_width(evidence), 1e-30)
    strength = ramp(ratio, 1.8, 8.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"Its averages span {span(evidence.held)}, its scale is made for {span((low, high))}: they have "
        f"{evidence.steps:.0f} of 255 steps.",
        leave_float(layer.name),
        ("own-range-pools",),
    )


def swish_tail(evidence: LayerEvidence) -> Sign | None:
    """A swish has all its curve between −0.38 and 0, and a long positive tail that takes the steps."""
    layer = evidence.layer
    low, high = evidence.held
    if not layer.grid.scale or not (_is_swish(evidence) and -0.4 < low < -0.05):
        return None
    ratio = high / -low
    strength = ramp(ratio, 12.0, 80.0)
    if not strength:
        return None
    return Sign(
        strength,
        f"Below 0, where the curve is, it spans {number(-low)} or {-low / layer.grid.scale:.0f} steps; above, "
        f"{number(high)}.",
        f"{leave_float(layer.name)}, or train with ReLU6",
        ("choose-ranges",),
    )


def _is_swish(evidence: LayerEvidence) -> bool:
    """HARD_SWISH, GELU, a product with a sigmoid, or one whose smallest value is that of a swish."""
    op = evidence.layer.op
    if op != "MUL":
        return op in ("HARD_SWISH", "GELU")
    lowest = evidence.held[0]
    return any(one.layer.op == "LOGISTIC" for one in evidence.inputs) or any(
        abs(lowest - low) < 0.01 for low in SWISH_MINIMA
    )


def _stretch(evidence: LayerEvidence) -> tuple[float, tuple[float, float]]:
    """How much wider the range is than that of the bulk of values, and the latter."""
    found = evidence.statistics
    assert found is not None
    bulk = bulk_range(found)
    low, high = evidence.held
    grid = evidence.layer.grid.range
    width = min(high, grid[1]) - max(low, grid[0])
    return width / max(bulk[1] - bulk[0], 1e-30), bulk


def bulk_range(found: TensorStatistics) -> tuple[float, float]:
    """The range of all values but the rarest at both ends, with 0 inside; all of it where no histogram is known."""
    total = found.below + found.above + int(found.counts.sum())
    if not total or not found.counts.size:
        return found.range
    low, high = found.edges
    ends = np.linspace(low, high, found.counts.size + 1)
    seen = found.below + np.concatenate([[0], np.cumsum(found.counts)])
    rare = total * (1 - BULK) / 2
    first = int(np.searchsorted(seen, rare, side="right")) - 1
    last = int(np.searchsorted(seen, total - rare, side="left"))
    bottom = ends[first] if first >= 0 else found.range[0]
    top = ends[last] if last < ends.size else found.range[1]
    return min(float(bottom), 0.0), max(float(top), 0.0)


def _width(evidence: LayerEvidence) -> float:
    low, high = evidence.held
    return high - low
