"""What to try next. Pure: a generator that yields candidates and is sent how they did; it knows no models.

int8 as it is and improved, then more improved; then the best of these with a few layers in higher precision (greedily
more, in growing steps, then fewer again); then recipes that keep more bits everywhere. It ends as soon as something is
within the budget and nothing smaller is left to try; what might be faster on this machine is tried last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tfmobile.quantization.recipe import Recipe

MANY = 1 / 3
"""With more than this part of the layers in higher precision, a whole model of more bits may be as fast."""
MOST_PRUNED = 12
"""How many layers are tried to be put back to 8 bits."""


@dataclass(frozen=True)
class Candidate:
    """One model to make and judge. ``what`` says in a few words what it is."""

    recipe: Recipe
    what: str

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def higher(self) -> tuple[str, ...]:
        """Layers with more than 8 bits."""
        return tuple(self.recipe.precision)

    @property
    def needs_proof(self) -> bool:
        """Whether an estimate is not enough. 4-bit weights change many answers, some for the better: that what is lost
        and won is nearly equal on some samples says little about others."""
        return self.recipe.weights == "int4"


@dataclass(frozen=True)
class Tried:
    """How a candidate did. ``excess``: its largest loss relative to what is allowed, minus 1; infinite when failed.

    ``recipe``: what to build on; the candidate's own, without the improvements that were found useless.
    """

    candidate: Candidate
    verdict: Literal["within", "beyond", "failed"]
    excess: float
    recipe: Recipe


@dataclass(frozen=True)
class Space:
    """What there is to choose from.

    ``bases``: recipes to begin with, cheapest first; the ``first`` ones are tried together, the others after them.
    ``fallbacks``: groups of recipes that keep more bits, in the order in which they are tried. ``rivals``: recipes that
    are tried although something is within, because they may be faster. ``mixing``: whether single layers may have more
    bits, ``precision`` of which kind. ``width``: how many mixed candidates are made before the first of them is judged.
    """

    bases: tuple[Recipe, ...]
    fallbacks: tuple[tuple[Recipe, ...], ...]
    mixing: bool = True
    precision: str = "float16"
    width: int = 2
    first: int = 2
    rivals: tuple[Recipe, ...] = ()


Rank: TypeAlias = Callable[[Tried], Sequence[str]]
"""Layers of the model that a trial made, those first whose higher precision gains most for its cost."""
Proposals: TypeAlias = Generator[tuple[Candidate, ...], tuple[Tried, ...], None]
Found: TypeAlias = Generator[tuple[Candidate, ...], tuple[Tried, ...], "Tried | None"]


def propose(space: Space, rank: Rank) -> Proposals:
    """Batches of candidates; after each, send what became of them, in the same order."""
    made: set[str] = set()
    steps = _within_budget(space, rank)
    batch = next(steps, None)
    while batch is not None:
        made.update(one.name for one in batch)
        tried = yield batch
        try:
            batch = steps.send(tried)
        except StopIteration:
            batch = None
    rivals = tuple(recipe for recipe in space.rivals if recipe.name not in made)
    if rivals:
        yield tuple(Candidate(recipe, recipe.summary) for recipe in rivals)


def _within_budget(space: Space, rank: Rank) -> Proposals:
    tried: list[Tried] = []
    for batch in (space.bases[: space.first], space.bases[space.first :]):
        if batch:
            tried += yield tuple(Candidate(recipe, recipe.summary) for recipe in batch)
        if _any_within(tried):
            return
    found = yield from _mix(space, tried, rank)
    if found is not None and not found[1]:
        return
    for group in space.fallbacks:
        tried = list((yield tuple(Candidate(recipe, recipe.summary) for recipe in group)))
        if _any_within(tried) or found is not None:
            return


def _any_within(tried: Sequence[Tried]) -> bool:
    return any(one.verdict == "within" for one in tried)


def _mix(
    space: Space, tried: Sequence[Tried], rank: Rank
) -> Generator[tuple[Candidate, ...], tuple[Tried, ...], tuple[Tried, bool] | None]:
    """The mixed model within the budget, and whether it has many layers of higher precision."""
    # Only where activations have 8 bits is there something that a layer can have more of.
    usable = [one for one in tried if one.verdict != "failed" and one.recipe.activations == "int8"]
    if not space.mixing or not usable:
        return None
    base = min(usable, key=lambda one: one.excess)
    layers = tuple(rank(base))
    if not layers:
        return None
    mixer = _Mixer(base.recipe, space.precision)
    found = yield from _grow(mixer, layers, space.width)
    if found is None:
        return None
    found = yield from _prune(mixer, found)
    return found, len(found.candidate.higher) > MANY * len(layers)


def _grow(mixer: _Mixer, layers: tuple[str, ...], width: int) -> Found:
    """The shortest beginning of ``layers`` that is within: 1, 2, 4, … layers, then between the last two.

    At most half of them: beyond that, a whole model of more bits is simpler and no slower.
    """
    most = max(len(layers) // 2, 1)
    sizes = [1 << power for power in range(most.bit_length()) if 1 << power < most] + [most]
    low, found = 0, None
    for start in range(0, len(sizes), max(width, 1)):
        batch = sizes[start : start + max(width, 1)]
        tried = yield tuple(mixer.candidate(layers[:size]) for size in batch)
        for size, one in zip(batch, tried, strict=True):
            if one.verdict == "within":
                found = one
                break
            low = size
        if found is not None:
            break
    while found is not None and len(found.candidate.higher) - low > 1:
        middle = (low + len(found.candidate.higher)) // 2
        (one,) = yield (mixer.candidate(layers[:middle]),)
        if one.verdict == "within":
            found = one
        else:
            low = middle
    return found


def _prune(mixer: _Mixer, found: Tried) -> Generator[tuple[Candidate, ...], tuple[Tried, ...], Tried]:
    """Put layers back to 8 bits, those that gain least for their cost first, while it stays within."""
    layers = found.candidate.higher
    for layer in tuple(reversed(layers))[1 : 1 + MOST_PRUNED]:  # without the last it was tried on the way
        fewer = tuple(one for one in found.candidate.higher if one != layer)
        (one,) = yield (mixer.candidate(fewer),)
        if one.verdict == "within":
            found = one
    return found


class _Mixer:
    """Makes mixed candidates, each with a name of its own."""

    def __init__(self, base: Recipe, precision: str) -> None:
        self._base, self._precision = base, precision
        self._made: dict[int, int] = {}

    def candidate(self, layers: Sequence[str]) -> Candidate:
        count = len(layers)
        again = self._made[count] = self._made.get(count, 0) + 1
        name = f"{self._base.name}-{count}-{self._precision}" + (f"-{again}" if again > 1 else "")
        named = layers[0] if count == 1 else f"{count} layers"
        summary = f"{self._base.name} with {named} in {self._precision}"
        precision = dict.fromkeys(layers, self._precision)
        return Candidate(
            dataclasses.replace(self._base, name=name, summary=f"{summary}.", precision=precision), summary
        )
