"""What is refused before any work is done: unknown names, impossible combinations, missing models and data."""

from __future__ import annotations

from pathlib import Path

from tfmobile.errors import DataError, ModelError, UnsupportedError, UsageError
from tfmobile.plan import Plan
from tfmobile.quantization.recipe import Recipe
from tfmobile.registry import unknown
from tfmobile.steps.quantized import no_data
from tfmobile.targets import Target


def need_model(plan: Plan) -> str:
    """The path of the model; raises UsageError or ModelError."""
    path = plan.model.path
    if path is None:
        raise UsageError(
            "No model was named.",
            why="Neither the command nor tfmobile.toml names one.",
            fixes=["tfmobile optimize MODEL", "Set path in the [model] section of tfmobile.toml."],
        )
    if not Path(path).exists() and not list(Path(path).parent.glob(Path(path).name + ".*")):
        raise ModelError(
            f"There is no model at '{path}'.",
            why="No file, folder or checkpoint of that name exists.",
            fixes=["Check the path."],
        )
    return path


def check_choices(plan: Plan) -> tuple[Recipe, Target]:
    """The recipe and the target, known and fitting together."""
    from tfmobile.quantization import recipe as find_recipe
    from tfmobile.targets import target as find_target

    need_model(plan)
    recipe, target = find_recipe(plan.optimize.recipe), find_target(plan.optimize.target)
    _check_names(recipe)
    own = plan.optimize.recipe.endswith(".toml")  # what the user wrote is not refused by its name
    if target.recipes and not own and recipe.name not in target.recipes:
        raise UnsupportedError(
            f"The target {target.name} cannot run the recipe {recipe.name}.",
            why=target.summary,
            fixes=[f"Choose one of: {', '.join(f'--recipe {name}' for name in target.recipes)}."],
        )
    if plan.optimize.io and plan.optimize.io not in recipe.io_allowed:
        raise UnsupportedError(
            f"The recipe {recipe.name} cannot have {plan.optimize.io} inputs and outputs.",
            why=f"Its back end makes: {', '.join(recipe.io_allowed)}.",
            fixes=[f"--io {recipe.io_allowed[0]}"],
        )
    return recipe, target


def _check_names(recipe: Recipe) -> None:
    """Raise UnknownNameError for an improvement or a rule that is in no table."""
    from tfmobile.quantization.improvements.table import IMPROVEMENTS
    from tfmobile.quantization.ranges.table import RANGE_RULES

    for name in recipe.improve:
        if name not in IMPROVEMENTS:
            raise unknown("improvement", name, IMPROVEMENTS)
    if recipe.ranges not in RANGE_RULES:
        raise unknown("rule for ranges", recipe.ranges, RANGE_RULES)


def check_data(plan: Plan, recipe: Recipe) -> None:
    """Calibration data where the recipe needs it, and every named path there."""
    if recipe.needs_calibration and plan.calibration_path is None:
        raise no_data(recipe.name)
    if plan.data.data == "random":
        raise DataError(
            "Random numbers cannot be evaluation data.",
            why="Accuracy on noise says nothing.",
            fixes=["--data DIR, or leave it out.", "--calibrate-with random calibrates on random numbers."],
        )
    used = [plan.data.data, plan.calibration_path if recipe.needs_calibration else None]
    for path in dict.fromkeys(used):
        need_data(path)


def need_data(path: str | None) -> None:
    """Raise DataError when a named data set is not there."""
    if path is None or path == "random" or Path(path).exists():
        return
    module, colon, name = path.rpartition(":")
    if colon and module and name.isidentifier() and "/" not in module:
        return
    raise DataError(
        f"There is no data at '{path}'.",
        why="No file or folder of that name exists, and it is not module:callable.",
        fixes=["Check the path."],
    )
