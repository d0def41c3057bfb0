"""Where boxes stand and lines run: nothing overlaps, whatever the graph."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest

from tfmobile.inspection.drawing.column_layout import Place
from tfmobile.inspection.drawing.layout import Layout, layout
from tfmobile.inspection.drawing.positions import isotonic
from tfmobile.inspection.drawing.ranks import ranks, split

Inputs = dict[str, list[str]]


def chain(length: int) -> Inputs:
    return {str(one): [str(one - 1)] if one else [] for one in range(length)}


def residual(blocks: int) -> Inputs:
    """Each block is three boxes and a sum with what came in."""
    found: Inputs = {"start": []}
    last = "start"
    for number in range(blocks):
        found.update({f"a{number}": [last], f"b{number}": [f"a{number}"], f"c{number}": [f"b{number}"]})
        found[f"sum{number}"] = [f"c{number}", last]
        last = f"sum{number}"
    return found


def pyramid(levels: int) -> Inputs:
    """Down, up again with a line from each level, and a head on each."""
    found = chain(levels)
    last = str(levels - 1)
    for level in reversed(range(levels - 1)):
        found[f"up{level}"] = [last, str(level)]
        last = f"up{level}"
    found["heads"] = [f"up{level}" for level in range(levels - 1)]
    return found


def shuffled(size: int, seed: int) -> Inputs:
    """Any graph without circles."""
    pick = random.Random(seed)
    return {
        str(one): sorted({str(pick.randrange(max(0, one - 12), one)) for _ in range(pick.choice([1, 1, 1, 2, 3]))})
        if one
        else []
        for one in range(size)
    }


GRAPHS: Mapping[str, Inputs] = {
    "chain": chain(40),
    "residual": residual(12),
    "pyramid": pyramid(9),
    "one": {"alone": []},
    "two parts": {"a": [], "b": ["a"], "c": [], "d": ["c"]},
    **{f"any {seed}": shuffled(60, seed) for seed in range(6)},
}


def placed(inputs: Inputs) -> Layout:
    pick = random.Random(len(inputs))
    sizes = {key: (pick.choice([92.0, 150.0, 250.0]), pick.choice([40.0, 82.0])) for key in inputs}
    return layout(sizes, inputs)


def overlap(one: Place, other: Place) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not beside and one.y < other.y + other.height and other.y < one.y + one.height


def points(path: str) -> Iterator[tuple[float, float]]:
    """Many points of an SVG path."""
    at = (0.0, 0.0)
    for command, numbers in re.findall(r"([MLCQ])([-\d., ]+)", path):
        values = [float(number) for number in re.findall(r"-?\d+\.\d+", numbers)]
        ends = list(zip(values[::2], values[1::2], strict=True))
        if command != "M":
            yield from _between([at, *ends])
        at = ends[-1]


def _between(controls: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    for step in range(21):
        part = step / 20
        level = list(controls)
        while len(level) > 1:  # de Casteljau
            level = [(a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part) for a, b in pairwise(level)]
        yield level[0]


def inside(point: tuple[float, float], place: Place) -> bool:
    x, y = point
    return place.x + 1 < x < place.x + place.width - 1 and place.y + 1 < y < place.y + place.height - 1


@pytest.mark.parametrize("name", list(GRAPHS))
def test_no_two_boxes_overlap_and_all_are_within_the_drawing(name: str) -> None:
    found = placed(GRAPHS[name])
    boxes = list(found.places.values())
    assert len(boxes) == len(GRAPHS[name])
    for number, one in enumerate(boxes):
        assert one.x >= -0.01
        assert one.x + one.width <= found.width + 0.01
        assert found.top - 0.01 <= one.y
        assert one.y + one.height <= found.height + 0.01
        assert not any(overlap(one, other) for other in boxes[number + 1 :])


@pytest.mark.parametrize("name", list(GRAPHS))
def test_every_edge_has_a_line_from_box_to_box_that_crosses_no_other(name: str) -> None:
    inputs = GRAPHS[name]
    found = placed(inputs)
    assert sorted((line.source, line.target) for line in found.lines) == sorted(
        (source, target) for target, sources in inputs.items() for source in sources
    )
    for line in found.lines:
        way = list(points(line.path))
        start, end = found.places[line.source], found.places[line.target]
        assert way[0][1] == pytest.approx(start.y + start.height, abs=0.2)
        assert start.x <= way[0][0] <= start.x + start.width
        assert way[-1][1] == pytest.approx(end.y - 5, abs=0.2)
        assert end.x <= way[-1][0] <= end.x + end.width
        hit = [key for key, place in found.places.items() if any(inside(point, place) for point in way)]
        assert not hit, (line.source, line.target)


def test_the_boxes_of_a_residual_network_stand_straight_below_one_another() -> None:
    found = layout(dict.fromkeys(residual(2), (150.0, 60.0)), residual(2))
    middles = sorted(place.x + place.width / 2 for place in found.places.values())
    steps = [after - before for before, after in pairwise(middles)]
    assert all(step <= 1 or step > 150 for step in steps)  # 150: to the next column


def test_a_long_chain_is_broken_into_columns_of_about_the_shape_of_a_screen() -> None:
    found = placed(chain(60))
    assert 0.7 < found.width / (found.height - found.top) < 3
    assert len({round(place.x + place.width / 2) for place in found.places.values()}) > 3


def test_a_loop_is_drawn_back() -> None:
    inputs = {"enter": [], "merge": ["enter", "next"], "body": ["merge"], "next": ["body"], "exit": ["merge"]}
    found = layout(dict.fromkeys(inputs, (100.0, 40.0)), inputs, closing=["next"])
    back = [(line.source, line.target) for line in found.lines if line.back]
    assert back == [("next", "merge")]
    assert found.places["next"].y > found.places["merge"].y


def test_a_circle_that_nothing_marks_is_opened() -> None:
    edges = split({"a": ["c"], "b": ["a"], "c": ["b"], "self": ["self"]})
    assert len(edges.back) == 2
    assert len(edges.forward) == 2


def test_what_does_not_depend_on_an_input_stands_above_its_reader() -> None:
    edges = [("in", "1"), ("1", "2"), ("2", "3"), ("weights", "read"), ("read", "3"), ("1", "side")]
    keys = ["in", "weights", "1", "2", "read", "3", "side"]
    found = ranks(keys, edges, ["in"])
    assert (found["weights"], found["read"], found["3"], found["side"]) == (1, 2, 3, 2)


def test_pooling_violators_gives_the_nearest_sequence_that_does_not_fall() -> None:
    assert isotonic([1.0, 3.0, 2.0, 5.0], [1.0, 1.0, 1.0, 1.0]) == [1.0, 2.5, 2.5, 5.0]
    assert isotonic([4.0, 0.0], [3.0, 1.0]) == [3.0, 3.0]
