"""A layered drawing: ranks, columns, order, places and lines (Sugiyama, Tagawa, Toda 1981). Pure arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tfmobile.inspection.drawing import routes
from tfmobile.inspection.drawing.column_layout import LINE_GAP, ROW_GAP, ColumnLayout, Place
from tfmobile.inspection.drawing.columns import columns
from tfmobile.inspection.drawing.ranks import ranks, split

COLUMN_GAP = 64.0


@dataclass(frozen=True)
class Line:
    """One edge; ``path`` is that of an SVG. ``back`` closes a loop."""

    source: str
    target: str
    path: str
    back: bool = False


@dataclass(frozen=True)
class Layout:
    """A drawing of ``width`` by ``height``; the lines into a second column begin at ``top``, which is negative."""

    width: float
    height: float
    top: float
    places: Mapping[str, Place]
    lines: tuple[Line, ...]


def layout(
    sizes: Mapping[str, tuple[float, float]],
    inputs: Mapping[str, Sequence[str]],
    ends: Collection[str] = (),
    closing: Collection[str] = (),
) -> Layout:
    """Place boxes of ``sizes`` (width, height), each of which reads its ``inputs``.

    ``ends`` are the model's inputs and outputs, ``closing`` the boxes that send a loop back to its beginning.
    """
    edges = split(inputs, closing)
    rank = ranks(list(sizes), edges.forward, ends)
    heights, widths = ({key: size[side] for key, size in sizes.items()} for side in (1, 0))
    placed: list[ColumnLayout] = []
    left = 0.0
    entering: list[str] = []
    back: list[Line] = []
    for column in columns(rank, edges, heights, widths, ROW_GAP):
        one = ColumnLayout(column, sizes, edges.forward, left, entering)
        back += [Line(*edge, one.around(*edge), back=True) for edge in edges.back if edge[0] in one.places]
        entering = sorted(one.feet, key=lambda source: one.feet[source][0])
        left = one.right + COLUMN_GAP
        placed.append(one)
    return Layout(
        width=max((one.right for one in placed), default=0.0),
        height=max((one.bottom + LINE_GAP * len(one.feet) for one in placed), default=0.0),
        top=min((one.top - LINE_GAP * len(one.heads) for one in placed), default=0.0),
        places={key: place for one in placed for key, place in one.places.items()},
        lines=(*_lines(placed), *back),
    )


def _lines(placed: Sequence[ColumnLayout]) -> list[Line]:
    """The edges of all columns; one that leaves a column goes on in the next."""
    found: list[Line] = []
    coming: dict[str, str] = {}
    for number, one in enumerate(placed):
        leaving: dict[str, str] = {}
        for source, target, path in one.paths():
            before = coming[source] if source not in one.places else ""
            if target is not None:
                found.append(Line(source, target, routes.svg(path, before)))
            else:
                leaving[source] = routes.bent(path[:-1], before)
        if number + 1 < len(placed):
            coming = _connected(one, placed[number + 1], leaving)
    return found


def _connected(one: ColumnLayout, other: ColumnLayout, leaving: Mapping[str, str]) -> dict[str, str]:
    """The paths of the lines that leave a column, led to the head of the next; side by side, so that none crosses."""
    feet, heads = one.feet, other.heads
    order = sorted(leaving, key=lambda source: feet[source][0])
    found = {}
    for place, source in enumerate(reversed(order)):
        aside = LINE_GAP * place
        middle = LINE_GAP * (len(order) - 1) / 2
        gutter = one.right + COLUMN_GAP / 2 - middle + aside
        (x, y), (into, top) = feet[source], heads[source]
        rise = LINE_GAP * (len(order) - 1 - place)
        found[source] = f"{leaving[source]} {routes.connector((x, y + aside), gutter, (into, top - rise))}"
    return found
