"""What to do about a cause: the improvement that is made for it, by the recipe that has it, or a way around."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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


def advise(sign: Sign, used: Recipe, kept: Collection[str] = (), *, improvable: bool = True) -> str:
    """The fix of a sign, given what the recipe tries already, and what of it was ``kept`` because it helped.

    ``improvable``: whether there is a TensorFlow graph, which improvements work on.
    """
    done = [name for name in sign.remedies if name in kept]
    dropped = [name for name in sign.remedies if name in used.improve and name not in kept]
    new = next((name for name in sign.remedies if name not in used.improve and improvable), None)
    ways = [f"{_where(new, used)}, which {DOES[new]}"] if new is not None else []
    ways += [sign.fix] if sign.fix else []
    way = "; or ".join(ways) or "leave the worst layers float (precision in the recipe)"
    if done:
        return f"{used.name} has dealt with it ({listed(done)}); for what is left: {_low(way)}."
    if dropped and used.improve:
        return f"{listed(dropped).capitalize()} did not help: {_low(way)}."
    return f"{way[0].upper()}{way[1:]}."


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``."""
    return " and ".join(names)


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
