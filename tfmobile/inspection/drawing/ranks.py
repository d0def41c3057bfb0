"""Ranks: a box stands below all it reads (the longest path to it), loops aside; and where the drawing may be broken."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Edges:
    """``forward`` edges lead down, ``back`` ones close a loop; each is (source, target)."""

    forward: tuple[tuple[str, str], ...]
    back: tuple[tuple[str, str], ...]


def split(inputs: Mapping[str, Sequence[str]], closing: Collection[str] = ()) -> Edges:
    """Set the edges aside that close a loop; ``inputs`` are what each box reads, in drawing order.

    Those that leave a box in ``closing`` do, and whichever others are left on a circle.
    """
    readers: dict[str, list[str]] = {key: [] for key in inputs}
    for target, sources in inputs.items():
        for source in sources:
            if source not in closing:
                readers[source].append(target)
    back = {
        *_closing(readers),
        *((one, target) for target, sources in inputs.items() for one in sources if one in closing),
    }
    pairs = [(source, target) for target, sources in inputs.items() for source in sources]
    return Edges(tuple(pair for pair in pairs if pair not in back), tuple(pair for pair in pairs if pair in back))


def _closing(readers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Depth first, the edges that lead to a box on the way there."""
    done: set[str] = set()
    for start in readers:
        if start in done:
            continue
        way = {start: iter(readers[start])}
        while way:
            here = next(reversed(way))
            target = next(way[here], None)
            if target is None:
                done.add(here)
                del way[here]
            elif target in way:
                yield here, target
            elif target not in done:
                way[target] = iter(readers[target])


def ranks(keys: Sequence[str], edges: Sequence[tuple[str, str]], inputs: Collection[str] = ()) -> dict[str, int]:
    """The rank of each; what does not depend on ``inputs`` stands just above its first reader, and so do these."""
    sources: dict[str, list[str]] = {key: [] for key in keys}
    targets: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    waiting = {key: len(found) for key, found in sources.items()}
    ready = [key for key in keys if waiting[key] == 0]
    rank: dict[str, int] = {}
    for key in ready:  # grows while it is read
        rank[key] = 1 + max((rank[source] for source in sources[key]), default=-1)
        for target in targets[key]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    moving: set[str] = set()
    for key in ready:
        if key in inputs or any(source in moving for source in sources[key]):
            moving.add(key)
    for key in reversed(ready):
        if targets[key] and (key not in moving or not sources[key]):
            rank[key] = min(rank[target] for target in targets[key]) - 1
    return rank


def crossing(rank: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """For each rank the boxes whose outputs go on below it."""
    last = max(rank.values(), default=0)
    until: dict[str, int] = {}
    for source, target in edges:
        until[source] = max(until.get(source, 0), rank[target])
    starts: list[list[str]] = [[] for _ in range(last + 1)]
    for source in until:
        starts[rank[source]].append(source)
    alive: list[str] = []
    found: list[tuple[str, ...]] = []
    for here in range(last + 1):
        alive = [*(source for source in alive if until[source] > here), *starts[here]]
        found.append(tuple(alive))
    return found
