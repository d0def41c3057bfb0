"""What to do about a cause: the improvement that is made for it, by the recipe that has it, or a way around."""

from __future__ import annotations

from collections.abc import Mapping

from tfmobile.diagnosis.signs import Sign
from tfmobile.quantization.recipe import Recipe, recipe, recipe_names

DOES: Mapping[str, str] = {
    "own-range-pools": "gives the averages a scale of their own",
    "clear-dead-channels": "clears weights that do nothing",
    "equalize": "moves factors between layers so that channels are alike",
    "absorb-bias": "moves constant offsets into the next layer",
    "split-channels": "splits outlying channels",
    "clip-weights": "clips outlying weights",
    "choose-ranges": "chooses ranges by their effect on the answer",
    "correct-bias": "corrects biases for the mean error",
    "round-weights": "rounds weights by their effect",
}
"""What each improvement does, after "which"."""


def advise(sign: Sign, used: Recipe) -> str:
    """The fix of a sign in one or two sentences, given what the recipe has tried already."""
    tried = [name for name in sign.remedies if name in used.improve]
    new = next((name for name in sign.remedies if name not in used.improve), None)
    if new is not None:
        other = f"; or {_low(sign.fix)}" if sign.fix else ""
        return f"{_where(new, used)}, which {DOES[new]}{other}."
    before = f"{' and '.join(tried)} did not suffice: " if tried else ""
    fix = f"{before}{sign.fix}" if sign.fix else f"{before}leave the worst layers float (precision in the recipe)"
    return f"{fix[0].upper()}{fix[1:]}."


def _where(remedy: str, used: Recipe) -> str:
    """The shipped recipe of the same kind that does least beside it, else the key to write."""
    kind = used.backend, used.granularity, used.activations
    having = [
        found
        for found in map(recipe, recipe_names())
        if remedy in found.improve and (found.backend, found.granularity, found.activations) == kind
    ]
    if having:
        best = min(having, key=lambda found: (len(found.improve), found.name))
        return f"Try --recipe {best.name} ({remedy})"
    return f"Add {remedy} to improve in the recipe"


def _low(text: str) -> str:
    return text[0].lower() + text[1:] if text[:2] != text[:2].upper() else text
