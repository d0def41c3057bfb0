"""The improvements a recipe can name, in the order in which they make sense."""

from __future__ import annotations

from collections.abc import Mapping

IMPROVEMENTS: Mapping[str, str] = {
    "own-range-pools": "tfmobile.quantization.improvements.own_range_pools:improve",
    "equalize": "tfmobile.quantization.improvements.equalization:improve",
    "clear-dead-channels": "tfmobile.quantization.improvements.dead_channels:improve",
    "absorb-bias": "tfmobile.quantization.improvements.bias_absorption:improve",
    "split-channels": "tfmobile.quantization.improvements.channel_splitting:improve",
    "clip-weights": "tfmobile.quantization.improvements.weight_clipping:improve",
    "choose-ranges": "tfmobile.quantization.improvements.range_choice:improve",
    "correct-bias-analytic": "tfmobile.quantization.improvements.analytic_bias:improve",
    "correct-bias": "tfmobile.quantization.improvements.bias_correction:improve",
    "round-weights": "tfmobile.quantization.improvements.weight_rounding:improve",
}
"""Name → an Improver."""
