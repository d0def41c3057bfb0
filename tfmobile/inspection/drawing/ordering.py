"""The order of boxes within their ranks: few crossings, by the barycenter of the neighbours (Sugiyama et al. 1981)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from itertools import pairwise

_SWEEPS = 12
Links = Sequence[Sequence[int]]


def order(rows: Sequence[Sequence[int]], above: Links, below: Links, *, fixed: int = 0) -> list[list[int]]:
    """``rows`` of numbers, reordered; ``above`` and ``below`` are each number's neighbours in the rows beside.

    The first ``fixed`` rows stay as they are.
    """
    best = current = [list(row) for row in rows]
    fewest = _crossings(best, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        current = [list(row) for row in current]
        down = sweep % 2 == 0
        places: dict[int, float] = {}
        for number, row in _swept(current, down):
            if number >= fixed:
                _sort(row, above if down else below, places)
            else:
                places.update((one, float(place)) for place, one in enumerate(row))
        found = _crossings(current, below)
        if found < fewest:
            best, fewest = current, found
    return best


def _swept(rows: list[list[int]], down: bool) -> Iterator[tuple[int, list[int]]]:
    numbered = list(enumerate(rows))
    yield from numbered if down else reversed(numbered)


def _sort(row: list[int], neighbours: Links, places: dict[int, float]) -> None:
    """By the mean place of the neighbours; what has none keeps its place."""
    weights = {}
    for place, one in enumerate(row):
        known = [places[other] for other in neighbours[one] if other in places]
        weights[one] = sum(known) / len(known) if known else float(place)
    row.sort(key=weights.__getitem__)
    places.update((one, float(place)) for place, one in enumerate(row))


def _crossings(rows: Sequence[Sequence[int]], below: Links) -> int:
    return sum(_between(upper, lower, below) for upper, lower in pairwise(rows))


def _between(upper: Sequence[int], lower: Sequence[int], below: Links) -> int:
    """Edges that cross: counted by inserting their lower ends, from left to right, into a sorted list."""
    place = {one: at for at, one in enumerate(lower)}
    seen: list[int] = []
    total = 0
    for end in _ends(upper, below, place):
        total += len(seen) - bisect_left(seen, end + 1)
        insort(seen, end)
    return total


def _ends(upper: Sequence[int], below: Links, place: dict[int, int]) -> Iterator[int]:
    for one in upper:
        yield from sorted(place[other] for other in below[one])
