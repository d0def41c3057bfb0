"""Check a .tflite against a target's rules. Every rule is a function; its answer is one sentence, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tfmobile.artifacts import Preflight, TFLiteModel
from tfmobile.targets.target import Target

FLEX = "Flex"
SHOWN = 6

Rule = Callable[[TFLiteModel, Target, str], "str | None"]


def preflight(model: TFLiteModel, target: Target, recipe: str) -> Preflight:
    """All sentences about what ``target`` will not run, or not run well; ``recipe`` names what made the model.

    An empty ``recipe`` is one of the user's own: then the model alone is judged.

    Rules read from documents say "Prediction, not compiled".
    """
    found = [sentence for rule in RULES if (sentence := rule(model, target, recipe))]
    prefix = "Prediction, not compiled: " if target.prediction else ""
    return Preflight(target.name, not found, tuple(prefix + sentence for sentence in found))


def recipe_fits(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """The recipe is one the target can run."""
    if not target.recipes or recipe in target.recipes or not recipe:
        return None
    return f"it runs the recipes {', '.join(target.recipes)}, not {recipe}; try --recipe {target.recommended}."


def io_fits(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """Inputs and outputs have a type the target takes."""
    if not target.io:
        return None
    wrong = [fact for fact in (*model.inputs, *model.outputs) if fact.dtype not in target.io]
    if not wrong:
        return None
    found = ", ".join(f"'{fact.name}' is {fact.dtype}" for fact in wrong[:SHOWN])
    why = " Float ones are converted on the CPU." if target.integer_only else ""
    return f"inputs and outputs should be {' or '.join(target.io)}, and {found}; try --io {target.io[0]}.{why}"


def shapes_are_static(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """All dimensions are known before running."""
    if not target.static_shapes:
        return None
    open_ = [fact.name for fact in (*model.inputs, *model.outputs) if any(size < 0 for size in fact.shape)]
    if not open_:
        return None
    return f"shapes must be fixed, and {', '.join(open_[:SHOWN])} has an open dimension; give --input-shape."


def dims_are_few(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """Only the innermost dimensions are larger than 1: the batch is 1."""
    if not target.inner_dims:
        return None
    facts = (*model.inputs, *model.outputs)
    wide = [fact for fact in facts if any(size > 1 for size in fact.shape[: -target.inner_dims])]
    if not wide:
        return None
    found = ", ".join(f"'{fact.name}' is {list(fact.shape)}" for fact in wide[:SHOWN])
    return f"only the {target.inner_dims} innermost dimensions may be larger than 1, and {found}; use batch 1."


def no_flex(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """No TensorFlow operators, which the runtime does not bring."""
    flex = Counter(op.op for op in model.ops if op.op.startswith(FLEX))
    if not flex:
        return None
    return f"{_list(flex)} needs TensorFlow inside the runtime, which the usual builds do not have."


def computes_in_integers(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """No operator computes in float."""
    if not target.integer_only:
        return None
    floats = Counter(op.op for op in model.ops if op.kind in ("float", "weight-only"))
    if not floats:
        return None
    return f"it computes in integers only, and these compute in float: {_list(floats)}."


def ops_are_known(model: TFLiteModel, target: Target, recipe: str) -> str | None:
    """Every operator is in the target's table."""
    if not target.ops:
        return None
    # QUANTIZE and DEQUANTIZE at the ends are what io_fits is about.
    missing = Counter(op.op for op in model.ops if op.kind != "boundary" and op.op not in target.ops)
    if not missing:
        return None
    return f"it has no {_list(missing)}; that and all that follows from it runs on the CPU."


def _list(counts: Counter[str]) -> str:
    names = [f"{name} ×{count}" if count > 1 else name for name, count in counts.most_common(SHOWN)]
    more = len(counts) - SHOWN
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


RULES: tuple[Rule, ...] = (
    recipe_fits,
    io_fits,
    shapes_are_static,
    dims_are_few,
    no_flex,
    computes_in_integers,
    ops_are_known,
)
"""In the order of their sentences."""
