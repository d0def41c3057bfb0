"""The cheapest way to divide nodes between two sides (Dinic 1970), in plain Python."""

from __future__ import annotations

INFINITE = 2**100
_PHASES = 60
"""Each costs a walk over all edges, and finds the paths of one length; real graphs need a handful."""


class MinimumCut:
    """Nodes are numbers; ``SOURCE`` is side A, ``SINK`` is side B."""

    SOURCE = 0
    SINK = 1

    def __init__(self) -> None:
        self._edges: list[list[int]] = [[], []]
        self._to: list[int] = []
        self._room: list[int] = []

    def node(self) -> int:
        """A new node."""
        self._edges.append([])
        return len(self._edges) - 1

    def edge(self, start: int, end: int, cost: int) -> None:
        """It costs this much when ``start`` is on side A and ``end`` on side B."""
        for origin, target, room in ((start, end, cost), (end, start, 0)):
            self._edges[origin].append(len(self._to))
            self._to.append(target)
            self._room.append(room)

    def side_a(self) -> set[int] | None:
        """The fewest nodes that can be on side A at the least cost; None when that takes too long to find."""
        for _ in range(_PHASES):
            levels = self._levels()
            if levels[self.SINK] < 0:
                return {node for node, level in enumerate(levels) if level >= 0}
            self._saturate(levels)
        return None

    def _levels(self) -> list[int]:
        levels = [-1] * len(self._edges)
        levels[self.SOURCE] = 0
        waiting = [self.SOURCE]
        for node in waiting:
            for edge in self._edges[node]:
                target = self._to[edge]
                if self._room[edge] and levels[target] < 0:
                    levels[target] = levels[node] + 1
                    waiting.append(target)
        return levels

    def _saturate(self, levels: list[int]) -> None:
        """Fill every shortest path."""
        tried = [0] * len(self._edges)
        path: list[int] = []
        node = self.SOURCE
        while True:
            if node == self.SINK:
                node = self._fill(path)
                continue
            edge = self._next(node, levels, tried)
            if edge is not None:
                path.append(edge)
                node = self._to[edge]
            elif node == self.SOURCE:
                return
            else:
                levels[node] = -1
                node = self._to[path.pop() ^ 1]

    def _next(self, node: int, levels: list[int], tried: list[int]) -> int | None:
        edges = self._edges[node]
        while tried[node] < len(edges):
            edge = edges[tried[node]]
            if self._room[edge] and levels[self._to[edge]] == levels[node] + 1:
                return edge
            tried[node] += 1
        return None

    def _fill(self, path: list[int]) -> int:
        """Send as much as goes through, and step back to where the path is full."""
        amount = min(self._room[edge] for edge in path)
        for edge in path:
            self._room[edge] -= amount
            self._room[edge ^ 1] += amount
        full = next(place for place, edge in enumerate(path) if not self._room[edge])
        node = self._to[path[full] ^ 1]
        del path[full:]
        return node
