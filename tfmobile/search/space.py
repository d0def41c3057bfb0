"""Which recipes a search may try: the user's kind of 8-bit recipe first, then those that keep more bits."""

from __future__ import annotations

from collections.abc import Sequence

from tfmobile.quantization.recipe import Recipe, recipe, recipe_names
from tfmobile.search.strategy import Space
from tfmobile.targets import Target

FAMILIES = (
    ("int8-fast", "int8", "int8-best"),
    ("int8-per-tensor-fast", "int8-per-tensor", "int8-per-tensor-best"),
)
"""The same arithmetic, with more and more work to find good numbers for it."""
TOGETHER = 2
"""The first ones of a family are cheap enough to be tried at the same time."""
SMALLER = ("weight-int4",)
MORE_BITS = {
    "latency": (("dynamic-int8", "float16"), ("float32",)),
    "size": (("dynamic-int8", "int16x8"), ("float16",), ("float32",)),
}
FASTER = ("float16",)
"""Without int8 instructions a processor is faster with floats."""
WITHOUT_FLOAT16 = (("int16x8",), ("float32",))
"""For devices that have no half-precision weights: integers of 16 bits before floats."""
LAST = "float32"


def space(chosen: Recipe, target: Target, objective: str, io: str, *, mixing: bool, width: int) -> Space:
    """The space around the recipe ``chosen``, of what the target runs and ``io`` (empty: any) allows.

    ``mixing`` False: layers of the model cannot have a precision of their own. ``width``: see ``Space``.
    """

    def kept(names: Sequence[str]) -> tuple[Recipe, ...]:
        found = [recipe(name) for name in names if name in recipe_names()]
        return tuple(one for one in found if runs(target, one) and io in ("", *one.io_allowed))

    bases = next((kept(family) for family in FAMILIES if chosen.name in family), ()) or (chosen,)
    smaller = _others(kept(SMALLER), bases) if objective == "size" else ()
    precision = _precision(target)
    groups = MORE_BITS[objective] if not target.recipes or "float16" in target.recipes else WITHOUT_FLOAT16
    fallbacks = tuple(group for names in groups if (group := _others(kept(names), bases)))
    mixes = mixing and bool(precision) and chosen.backend == "mlir-quantize" and not target.integer_only
    begin = (*bases[:TOGETHER], *smaller)
    rivals = _others(kept(FASTER), bases) if objective == "latency" and not target.integer_only else ()
    return Space((*begin, *bases[TOGETHER:]), fallbacks, mixes, precision or "float32", width, len(begin), rivals)


def _others(recipes: Sequence[Recipe], bases: Sequence[Recipe]) -> tuple[Recipe, ...]:
    return tuple(one for one in recipes if one.name not in {base.name for base in bases})


def runs(target: Target, one: Recipe) -> bool:
    """Whether the target runs it: by name, or because it runs another one with the same arithmetic."""
    return not target.recipes or any(_arithmetic(recipe(name)) == _arithmetic(one) for name in target.recipes)


def _arithmetic(one: Recipe) -> tuple[object, ...]:
    return one.weights, one.granularity, one.activations, one.compute


def _precision(target: Target) -> str:
    """What layers with more bits are made of, empty where the target has nothing for it."""
    allowed = ("float16", "float32")
    return next((name for name in allowed if not target.recipes or name in target.recipes), "")
