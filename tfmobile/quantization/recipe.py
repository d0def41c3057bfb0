"""Recipes: what is quantized to what, as TOML rows. Reading their names costs nothing but a folder listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tfmobile.datafiles import read_toml, row
from tfmobile.errors import PlanError
from tfmobile.registry import unknown

FOLDER = Path(__file__).parent / "recipes"
ACTIVATIONS = {
    "none": "float32",
    "litert-quantizer": "float32",
    "mlir-quantize": "int8",
    "runtime-quantizer": "int16",
}
"""What each back end makes of activations."""


@dataclass(frozen=True)
class Recipe:
    """What becomes of weights and activations, and which back end does it.

    Quantized weights are symmetric: real = scale · q, one scale a tensor or one a channel. Activations have one scale a
    tensor and, unless ``symmetric_activations``, a zero point: real = scale · (q − zero point).
    ``algorithm`` rounds 4-bit weights: to the nearest step, or keeping the sums of kernels (SQuant). Weights of fewer
    than ``min_weight_elements`` numbers stay float (litert-quantizer). ``compute``: whether weights are used as
    integers (float activations are then quantized while running), or turned back into floats first. ``io`` is the
    default type of inputs and outputs, one of ``io_allowed``. ``left_float``: whether an operator that cannot be
    quantized may stay float (it is always listed).

    ``ranges``: the rule that makes ranges of activations of their statistics. ``improve``: what is then tried, in this
    order, to come closer to the float model; each is kept only when it helps on held-back samples, or always
    (``gate`` none). ``precision``: layers that get more than 8 bits, by the name of their output.
    """

    name: str
    summary: str
    backend: Literal["none", "mlir-quantize", "runtime-quantizer", "litert-quantizer"]
    weights: Literal["float32", "float16", "int8", "int4"]
    granularity: Literal["none", "tensor", "channel"]
    activations: Literal["float32", "int8", "int16"]
    io_allowed: tuple[str, ...]
    io: Literal["float32", "int8", "uint8", "int16"] = "float32"
    symmetric_activations: bool = False
    needs_calibration: bool = False
    compute: Literal["float", "integer"] = "float"
    algorithm: Literal["min-max", "squant"] = "min-max"
    min_weight_elements: int = 0
    left_float: Literal["allow", "refuse"] = "allow"
    ranges: str = "min-max"
    improve: tuple[str, ...] = ()
    gate: Literal["held-back", "none"] = "held-back"
    precision: Mapping[str, str] = field(default_factory=dict)


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with tfmobile, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


def recipe(name: str) -> Recipe:
    """The recipe called ``name``, or the one in the file ``name`` when that ends in ``.toml``.

    Raises UnknownNameError, and PlanError for a file that is not a valid recipe.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    if name not in recipe_names():
        raise unknown("recipe", name, recipe_names())
    return _read(FOLDER / f"{name}.toml")


def _read(file: Path) -> Recipe:
    return _checked(row(Recipe, {"name": file.stem, **read_toml(file)}, f"recipe {file.name}"), file)


def _checked(recipe: Recipe, file: Path) -> Recipe:
    """Refuse a row that contradicts itself, and what the named back end does not do."""
    for wrong, why, fix in _contradictions(recipe):
        if wrong:
            raise PlanError(f"The recipe in '{file}' contradicts itself.", why=why, fixes=[fix])
    return recipe


def _contradictions(recipe: Recipe) -> list[tuple[bool, str, str]]:
    integer = recipe.activations != "float32"
    return [
        (
            recipe.io not in recipe.io_allowed,
            f"io is {recipe.io}, which is not in io-allowed.",
            f'Add "{recipe.io}" to io-allowed, or change io.',
        ),
        (
            integer != recipe.needs_calibration,
            f"activations are {recipe.activations} and needs-calibration is {recipe.needs_calibration}.",
            "Integer activations need calibration, float ones do not.",
        ),
        (
            ACTIVATIONS[recipe.backend] != recipe.activations,
            f"The back end {recipe.backend} does not make {recipe.activations} activations.",
            "Back end and activations: " + ", ".join(f"{name} {kind}" for name, kind in ACTIVATIONS.items()) + ".",
        ),
        (
            integer and recipe.weights != "int8",
            f"The back end {recipe.backend} makes int8 weights, not {recipe.weights}.",
            'Set weights = "int8".',
        ),
        (
            (recipe.backend == "none") != (recipe.weights == "float32"),
            f"The back end {recipe.backend} does not make {recipe.weights} weights.",
            'Float weights: backend = "none".',
        ),
        (
            recipe.backend != "mlir-quantize" and (bool(recipe.improve) or recipe.ranges != "min-max"),
            f"It names improvements or a rule for ranges, which the back end {recipe.backend} does not take.",
            'Leave out improve and ranges, or set backend = "mlir-quantize".',
        ),
        (
            recipe.backend != "mlir-quantize" and bool(recipe.precision),
            f"The back end {recipe.backend} cannot give single layers another precision.",
            'Set backend = "mlir-quantize", or leave precision out.',
        ),
        (
            not integer and set(recipe.io_allowed) != {"float32"},
            f"With float activations inputs and outputs are float32, not {', '.join(recipe.io_allowed)}.",
            'Set io-allowed = ["float32"].',
        ),
    ]
