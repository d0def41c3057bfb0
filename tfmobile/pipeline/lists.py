"""What there is to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfmobile.passes.catalogue import PassEntry
    from tfmobile.quantization.recipe import Recipe
    from tfmobile.targets import Target


def list_passes() -> tuple[PassEntry, ...]:
    """The passes that rewrite a graph, with their arguments."""
    from tfmobile.passes.catalogue import catalogue

    return catalogue()


def list_recipes() -> tuple[Recipe, ...]:
    """The quantization recipes, by name."""
    from tfmobile.quantization import recipe, recipe_names

    return tuple(recipe(name) for name in recipe_names())


def list_targets() -> tuple[Target, ...]:
    """The targets, by name."""
    from tfmobile.targets import target, target_names

    return tuple(target(name) for name in target_names())
