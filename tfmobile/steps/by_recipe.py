"""From the float model to the integer .tflite, in the way the recipe needs: as it is, calibrated, or improved."""

from __future__ import annotations

from dataclasses import dataclass

from tfmobile.artifacts import Calibration, Improvement, TensorFact
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps import quantized
from tfmobile.steps.context import Context
from tfmobile.steps.improved import improve, wants_statistics
from tfmobile.steps.model import Prepared


@dataclass(frozen=True)
class Quantized:
    """``content`` is the .tflite, ``floating`` the float one whose layers it has."""

    content: bytes
    floating: bytes
    calibration: Calibration | None
    improvement: Improvement | None
    key: str


def quantize(context: Context, recipe: Recipe, prepared: Prepared, inputs: tuple[TensorFact, ...]) -> Quantized:
    """The .tflite that ``recipe`` makes of the prepared model."""
    io = context.plan.optimize.io
    if recipe.needs_calibration and wants_statistics(recipe):
        found = improve(context, recipe, prepared, inputs, io)
        context.note(*found.calibration.notes)
        return Quantized(found.content, found.floating, found.calibration, found.improvement, found.key)
    calibration, key = None, None
    if recipe.needs_calibration:
        calibration, step = quantized.calibrate(context, recipe, prepared.floating, inputs, prepared.key)
        key = step.key
    content, made = quantized.quantize(context, recipe, prepared.floating, calibration, io, [prepared.key, key])
    return Quantized(content, prepared.floating, calibration, None, made.key)
