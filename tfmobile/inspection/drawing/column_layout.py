"""One column of a drawing: its boxes, and the points that long lines pass in each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tfmobile.inspection.drawing.columns import Column
from tfmobile.inspection.drawing.ordering import order
from tfmobile.inspection.drawing.positions import positions
from tfmobile.inspection.drawing.routes import CORNER, Path, Point, loop, ports

ROW_GAP, BOX_GAP, LINE_GAP = 30.0, 22.0, 9.0
_LINE_WIDTH = 10.0
_SLOPE, _MOST_SLOPE = 0.05, 60.0

Way = tuple[str, "str | None", "list[int]"]


@dataclass(frozen=True)
class Place:
    """Where a box stands: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


class ColumnLayout:
    """A column placed from ``left`` on; ``right``, ``top`` and ``bottom`` are its other sides. ``entering`` lines come
    in from the column before, in this order.

    Numbers stand for boxes and for the points of lines. The first row of boxes begins at 0; a line that enters comes
    in above it, one that leaves goes out below the last.
    """

    def __init__(
        self,
        column: Column,
        sizes: Mapping[str, tuple[float, float]],
        edges: Sequence[tuple[str, str]],
        left: float,
        entering: Sequence[str],
    ) -> None:
        self._sizes = sizes
        self._row_of: list[int] = []
        self._above: list[list[int]] = []
        self._below: list[list[int]] = []
        self._ways: list[Way] = []
        self._ends: set[int] = set()
        self._loops = 0
        self._offset = 1 if entering else 0
        self._rows: list[list[int]] = [[] for _ in range(self._offset + len(column.rows) + bool(column.leaves))]
        self._boxes = {key: self._add(at + self._offset) for at, row in enumerate(column.rows) for key in row}
        self._keys = {number: key for key, number in self._boxes.items()}
        self._entries = {source: self._end(0) for source in entering}
        self._exits = {source: self._end(len(self._rows) - 1) for source in column.leaves}
        self._lead_lines(edges)
        self._place(left)

    def _add(self, row: int) -> int:
        number = len(self._row_of)
        self._row_of.append(row)
        self._above.append([])
        self._below.append([])
        self._rows[row].append(number)
        return number

    def _end(self, row: int) -> int:
        number = self._add(row)
        self._ends.add(number)
        return number

    def _lead_lines(self, edges: Sequence[tuple[str, str]]) -> None:
        starts = {**self._boxes, **self._entries}
        targets: dict[str, list[tuple[str | None, int]]] = {}
        for source, target in edges:
            if target in self._boxes and source in starts:
                targets.setdefault(source, []).append((target, self._boxes[target]))
        for source, number in self._exits.items():
            targets.setdefault(source, []).append((None, number))
        for source, ends in targets.items():
            self._lead(source, starts[source], ends)

    def _lead(self, source: str, start: int, ends: Sequence[tuple[str | None, int]]) -> None:
        """One line for all that read ``source``; it branches above each of them."""
        passing = [start]
        for target, end in ends:
            need = self._row_of[end] - self._row_of[start]
            while len(passing) < need:
                point = self._add(self._row_of[start] + len(passing))
                self._link(passing[-1], point)
                passing.append(point)
            way = [*passing[:need], end]
            self._link(way[-2], end)
            self._ways.append((source, target, way))

    def _link(self, upper: int, lower: int) -> None:
        self._below[upper].append(lower)
        self._above[lower].append(upper)

    def _width(self, number: int) -> float:
        return self._sizes[self._keys[number]][0] if number in self._keys else _LINE_WIDTH

    def _place(self, left: float) -> None:
        numbers = range(len(self._row_of))
        width = {number: self._width(number) for number in numbers}
        lines = {number for number in numbers if number not in self._keys and number not in self._ends}
        rows = order(self._rows, self._above, self._below, fixed=self._offset)
        centre = positions(rows, self._above, self._below, width, lines, BOX_GAP)
        lowest = min((centre[one] - width[one] / 2 for one in numbers), default=0.0)
        self._x = {one: place - lowest + left for one, place in centre.items()}
        self.right = max((self._x[one] + width[one] / 2 for one in numbers), default=left)
        self._tops, self._bottoms = self._heights()
        self.top, self.bottom = min(self._tops, default=0.0), max(self._bottoms, default=0.0)
        self.places = {key: self._box(key, number) for key, number in self._boxes.items()}

    def _box(self, key: str, number: int) -> Place:
        width, height = self._sizes[key]
        row = self._row_of[number]
        return Place(self._x[number] - width / 2, (self._tops[row] + self._bottoms[row] - height) / 2, width, height)

    def _heights(self) -> tuple[list[float], list[float]]:
        """Where each row begins and ends; rows stand further apart where lines go far to the side."""
        tops, bottoms = [], []
        y = 0.0
        for row in self._rows:
            tops.append(y)
            y += max((self._sizes[self._keys[one]][1] for one in row if one in self._keys), default=CORNER)
            bottoms.append(y)
            aside = max((abs(self._x[one] - self._x[other]) for one in row for other in self._below[one]), default=0.0)
            y += ROW_GAP + min(aside * _SLOPE, _MOST_SLOPE)
        above = tops[self._offset] if self._offset < len(tops) else 0.0
        return [top - above for top in tops], [bottom - above for bottom in bottoms]

    @property
    def feet(self) -> dict[str, Point]:
        """Where lines leave, below the last row."""
        return {source: (self._x[one], self._bottoms[-1]) for source, one in self._exits.items()}

    @property
    def heads(self) -> dict[str, Point]:
        """Where lines enter, above the first row."""
        return {source: (self._x[one], self._tops[0]) for source, one in self._entries.items()}

    def around(self, source: str, target: str) -> str:
        """The path that closes a loop: below the source, beside the column, and from above into the target."""
        start, end = self.places[source], self.places[target]
        self.right += LINE_GAP if self._loops else 2 * LINE_GAP
        self._loops += 1
        below = self._bottoms[self._row_of[self._boxes[source]]] + ROW_GAP * 0.35
        above = self._tops[self._row_of[self._boxes[target]]] - ROW_GAP * 0.65
        foot, head = (start.x + start.width * 0.75, start.y + start.height), (end.x + end.width * 0.75, end.y)
        return loop(foot, below, self.right, above, head)

    def paths(self) -> Iterator[tuple[str, str | None, Path]]:
        """Each line with its points: source, target (none for the line that leaves the column)."""
        out = {one: self._ports(one, self._below[one]) for one in self._keys}
        into = {one: self._ports(one, self._above[one]) for one in self._keys}
        for source, target, way in self._ways:
            path: Path = []
            for place, number in enumerate(way):
                row = self._row_of[number]
                top, bottom = self._tops[row], self._bottoms[row]
                if number not in self._keys:
                    path += [(self._x[number], top), (self._x[number], bottom)]
                    continue
                box = self.places[self._keys[number]]
                x = into[number][way[place - 1]] if place else out[number][way[1]]
                path += [(x, top), (x, box.y)] if place else [(x, box.y + box.height), (x, bottom)]
            yield source, target, path

    def _ports(self, number: int, others: Sequence[int]) -> dict[int, float]:
        return ports(number, others, self._x, self._width(number)) if others else {}
