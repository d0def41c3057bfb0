"""A model's graph as a picture that a person can read: an SVG, or a page to explore it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from tfmobile.artifacts import SourceModel
from tfmobile.errors import UsageError
from tfmobile.inspection.drawing.boxes import boxes
from tfmobile.inspection.drawing.graph_operations import graph_operations
from tfmobile.inspection.drawing.scopes import fewer
from tfmobile.inspection.drawing.svg import Drawing, drawn, picture
from tfmobile.inspection.drawing.tflite_operations import tflite_operations
from tfmobile.inspection.facts import GraphInspection, TFLiteInspection
from tfmobile.inspection.printing import count

__all__ = ["check_ending", "draw"]

ENDINGS = (".svg", ".html")


def check_ending(path: str) -> None:
    """Raise UsageError unless ``path`` can be drawn to."""
    if PurePath(path).suffix.lower() not in ENDINGS:
        raise UsageError(
            f"'{path}' cannot be drawn.",
            why="A drawing is an .svg, or an .html page in which one can search and look closer.",
            fixes=[f"--draw {PurePath(path).with_suffix('.html')}"],
        )


def draw(source: SourceModel, inspection: GraphInspection | TFLiteInspection, path: str) -> str:
    """The text of the file ``path``: an SVG, or a page without outside references."""
    from tfmobile.inspection.drawing.page import page

    check_ending(path)
    made = drawing(source, inspection)
    return picture(made) if PurePath(path).suffix.lower() == ".svg" else page(made)


def drawing(source: SourceModel, inspection: GraphInspection | TFLiteInspection) -> Drawing:
    """Boxes and where they stand."""
    if isinstance(inspection, TFLiteInspection):
        assert source.tflite is not None
        found = tflite_operations(source.tflite, inspection)
    else:
        assert source.graph is not None
        found = graph_operations(source.graph, inspection)
    few, notes = fewer(boxes(found.items))
    hidden = [f"Not drawn: {', '.join(found.hidden)}."] if found.hidden else []
    return drawn(_title(source.path), [_summary(inspection), *hidden, *notes], few)


def _title(path: str) -> str:
    return "/".join(part for part in PurePath(path).parts[-2:] if part not in ("/", "..", "."))


def _summary(found: GraphInspection | TFLiteInspection) -> str:
    return " · ".join(_facts(found))


def _facts(found: GraphInspection | TFLiteInspection) -> Iterator[str]:
    if isinstance(found, TFLiteInspection):
        yield f"{sum(one.count for one in found.ops):,} operators"
        yield found.quantization
    else:
        yield f"{found.nodes:,} nodes"
    yield f"{found.parameters:,} parameters"
    yield f"{count(found.macs)} MACs"
