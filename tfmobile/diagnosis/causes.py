"""The causes that are looked for in every layer, and in the model as a whole, and the findings they make.

The first sentence of a cause's docstring is what the report says it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from tfmobile.artifacts import Finding
from tfmobile.diagnosis.advice import advise
from tfmobile.diagnosis.answer_causes import tied_answers, wide_logits
from tfmobile.diagnosis.data_checks import data_meaning
from tfmobile.diagnosis.evidence import LayerEvidence
from tfmobile.diagnosis.model_causes import left_float, many_small_errors, shifted_means
from tfmobile.diagnosis.range_causes import (
    clipped_range,
    join_of_unlike_ranges,
    large_offset,
    outlier_channel,
    pool_shares_scale,
    stretched_input,
    stretched_range,
    sum_of_unlike_ranges,
    swish_tail,
    unused_range,
)
from tfmobile.diagnosis.signs import Sign
from tfmobile.diagnosis.weight_causes import amplified_rounding, bias_overflow, channel_imbalance, dead_channels
from tfmobile.quantization.recipe import Recipe

CAUSES: Mapping[str, Callable[[LayerEvidence], Sign | None]] = {
    "outlier-channel": outlier_channel,
    "channel-imbalance": channel_imbalance,
    "dead-channels": dead_channels,
    "bias-overflow": bias_overflow,
    "amplified-rounding": amplified_rounding,
    "large-offset": large_offset,
    "clipped-range": clipped_range,
    "unused-range": unused_range,
    "stretched-input": stretched_input,
    "stretched-range": stretched_range,
    "unlike-ranges-joined": join_of_unlike_ranges,
    "unlike-ranges-added": sum_of_unlike_ranges,
    "pool-shares-scale": pool_shares_scale,
    "swish-tail": swish_tail,
    "wide-logits": wide_logits,
    "tied-answers": tied_answers,
}
"""Name → what finds it in one layer."""

MODEL_CAUSES: Mapping[str, Callable[[Sequence[LayerEvidence], float], Sign | None]] = {
    "shifted-means": shifted_means,
    "many-small-errors": many_small_errors,
    "left-float": left_float,
}
"""Name → what finds it in the model as a whole, given the harm of quantization (0 to 1)."""

LEAST = 0.02
"""Findings below this severity are not worth a line."""
NAMED = 3


def find_causes(
    layers: Sequence[LayerEvidence], whole: float, used: Recipe, kept: Collection[str] = (), *, improvable: bool = True
) -> tuple[Finding, ...]:
    """All findings, the most severe first; layers with the same cause share one.

    ``whole``: harm of quantization, 0 to 1. ``used``: the recipe; what it tries is not advised again.
    ``kept``: the improvements of it that helped; ``improvable``: whether there is a graph for others.
    """

    def advised(sign: Sign) -> str:
        return advise(sign, used, kept, improvable=improvable)

    found = [finding for name, cause in CAUSES.items() for finding in _in_layers(name, cause, layers, advised)]
    for name, model_cause in MODEL_CAUSES.items():
        sign = model_cause(layers, whole)
        if sign is not None:
            found.append(Finding(name, "model", "", sign.what, advised(sign), _severity(sign, whole)))
    worth = [finding for finding in found if finding.severity >= LEAST]
    return tuple(sorted(worth, key=lambda finding: (-finding.severity, finding.cause)))


def meaning(cause: str) -> str:
    """The first sentence of a cause's documentation."""
    function = CAUSES.get(cause) or MODEL_CAUSES.get(cause)
    return (inspect.getdoc(function) or "").split("\n")[0] if function is not None else data_meaning(cause)


def _in_layers(
    name: str,
    cause: Callable[[LayerEvidence], Sign | None],
    layers: Sequence[LayerEvidence],
    advised: Callable[[Sign], str],
) -> Iterator[Finding]:
    """At most one finding: of the worst layer, naming the others."""
    signs = [(sign, layer) for layer in layers if (sign := cause(layer)) is not None]
    signs = [row for row in signs if _severity(row[0], row[1].impact) >= LEAST]
    if not signs:
        return
    signs.sort(key=lambda row: -_severity(row[0], row[1].impact))
    sign, worst = signs[0]
    names = [layer.layer.name for _, layer in signs]
    others = f" The same in {len(names) - 1} more." if len(names) > 1 else ""
    where = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    yield Finding(name, "layer", where, sign.what + others, advised(sign), _severity(sign, worst.impact))


def _severity(sign: Sign, impact: float) -> float:
    return round(sign.strength * (impact if sign.impact is None else sign.impact), 4)
