"""The drawing as SVG: boxes with their lines of text, and the lines between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tfmobile.inspection.drawing.boxes import Box
from tfmobile.inspection.drawing.layout import Layout, layout
from tfmobile.inspection.drawing.lettering import clipped, text_width
from tfmobile.inspection.drawing.operation import shape_words
from tfmobile.inspection.drawing.roles import LEGEND
from tfmobile.inspection.drawing.styles import picture_style
from tfmobile.inspection.printing import count

_WIDEST, _NARROWEST = 260.0, 92.0
_LEFT, _RIGHT, _TOP = 14.0, 10.0, 6.0
_MARGIN = 28.0
_SIZES = {"title": 13.0, "steps": 11.5, "small": 11.0, "warning": 11.0}
_LEADING = {"title": 17.0, "steps": 15.0, "small": 14.0, "warning": 14.0}
_HEADING = 24.0
_NEARLY_ALL = 0.8


@dataclass(frozen=True)
class Drawing:
    """Boxes with their text and places. ``title`` and ``notes`` stand above, or beside it on a page."""

    title: str
    notes: tuple[str, ...]
    boxes: tuple[Box, ...]
    text: Mapping[str, Sequence[tuple[str, str]]]
    layout: Layout


def drawn(title: str, notes: Iterable[str], boxes: Sequence[Box]) -> Drawing:
    """Letter the boxes, and place them."""
    common = _common_scope([box.name for box in boxes if box.name])
    text = {box.key: _lettered(box, box.name.removeprefix(common)) for box in boxes}
    sizes = {key: _size(lines) for key, lines in text.items()}
    ends = {box.key for box in boxes if box.is_end}
    closing = {box.key for box in boxes if box.last.op.endswith("NextIteration")}
    placed = layout(sizes, {box.key: box.inputs for box in boxes}, ends, closing)
    return Drawing(title, tuple(notes), tuple(boxes), text, placed)


def _common_scope(names: Sequence[str]) -> str:
    """The scope that nearly all names begin with, to be left out of them."""
    common = ""
    while True:
        inner = Counter(name[: name.find("/", len(common)) + 1] for name in names if name.startswith(common))
        found, times = inner.most_common(1)[0] if inner else ("", 0)
        if len(found) <= len(common) or times < max(_NEARLY_ALL * len(names), 2):
            return common
        common = found


def _lettered(box: Box, name: str) -> list[tuple[str, str]]:
    """Style and text of each line of a box."""
    last = box.last
    shape = f"{shape_words(last.shape)} {last.dtype}".strip()
    cost = [f"{count(box.parameters)} params" if box.parameters else "", f"{count(box.macs)} MACs" if box.macs else ""]
    lines = [
        ("title", box.title),
        ("steps", box.steps),
        ("small", shape),
        ("small", last.quantization),
        ("small", " · ".join(filter(None, cost))),
        ("warning", "does not convert" if box.warning else ""),
        ("small", name),
    ]
    room = _WIDEST - _LEFT - _RIGHT
    return [
        (style, clipped(text, _SIZES[style], room, bold=style in ("title", "warning"), end=text is name))
        for style, text in lines
        if text
    ]


def _size(lines: Sequence[tuple[str, str]]) -> tuple[float, float]:
    widest = max(text_width(text, _SIZES[style], bold=style in ("title", "warning")) for style, text in lines)
    height = sum(_LEADING[style] for style, _ in lines) + 2 * _TOP
    return max(widest + _LEFT + _RIGHT, _NARROWEST), height


def picture(drawing: Drawing) -> str:
    """A whole SVG file, for a light and a dark surface, with a legend of the colours that are in it."""
    head = [("heading", drawing.title), *(("note", note) for note in drawing.notes)]
    above = _MARGIN + _HEADING * len(head)
    width = max(drawing.layout.width, *(text_width(text, 19 if style == "heading" else 12.5) for style, text in head))
    legend, legend_height = _legend(drawing.boxes, width)
    bottom = above + drawing.layout.height - drawing.layout.top + _MARGIN
    height = bottom + legend_height + _MARGIN
    size = f'width="{width + 2 * _MARGIN:.0f}" height="{height:.0f}"'
    lines = "".join(
        f'<text class="{style}" x="{_MARGIN}" y="{_MARGIN + _HEADING * place + 6:.1f}">{escape(text)}</text>'
        for place, (style, text) in enumerate(head)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" {size} '
        f'viewBox="0 0 {width + 2 * _MARGIN:.0f} {height:.0f}">'
        f"<style>{picture_style()}</style>"
        f'<rect width="100%" height="100%" fill="var(--page)"/>{lines}'
        f'<g transform="translate({_MARGIN},{above - drawing.layout.top:.1f})">{inner(drawing)}</g>'
        f'<g transform="translate({_MARGIN},{bottom:.1f})">{legend}</g></svg>\n'
    )


def inner(drawing: Drawing) -> str:
    """Lines and boxes, without a frame."""
    number = {box.key: place for place, box in enumerate(drawing.boxes)}
    lines = "".join(
        f'<path class="line{" back" if line.back else ""}" data-from="{number[line.source]}" '
        f'data-to="{number[line.target]}" d="{line.path}" marker-end="url(#head)"/>'
        for line in drawing.layout.lines
    )
    marker = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0,0.5 L7.5,4 L0,7.5 z"/></marker></defs>'
    )
    return f"{marker}<g>{lines}</g><g>{''.join(_box(drawing, place) for place in range(len(drawing.boxes)))}</g>"


def _box(drawing: Drawing, place: int) -> str:
    box = drawing.boxes[place]
    at = drawing.layout.places[box.key]
    parts, y = [], _TOP
    for style, text in drawing.text[box.key]:
        y += _LEADING[style]
        parts.append(f'<text class="{style}" x="{_LEFT}" y="{y - 4:.1f}">{escape(text)}</text>')
    size = f'width="{at.width:.1f}" height="{at.height:.1f}"'
    said = escape(": ".join(filter(None, (box.name, box.title, box.steps))))
    return (
        f'<g class="box {box.colour}{" warned" if box.warning else ""}" data-box="{place}" tabindex="0" role="button" '
        f'aria-label="{said}" transform="translate({at.x:.1f},{at.y:.1f})"><title>{said}</title>'
        f'<rect class="face" rx="7" {size}/><rect class="tint" rx="7" {size}/>'
        f'<rect class="mark" rx="2" x="4" y="6" width="4" height="{at.height - 12:.1f}"/>{"".join(parts)}</g>'
    )


def legend(boxes: Iterable[Box]) -> Mapping[str, str]:
    """The colours that are in the drawing, and what they mean."""
    there = {box.colour for box in boxes}
    return {key: text for key, text in LEGEND.items() if key in there}


def _legend(boxes: Iterable[Box], width: float) -> tuple[str, float]:
    parts, x, y = [], 0.0, 0.0
    for key, text in legend(boxes).items():
        wide = text_width(text, 11) + 40
        if x + wide > width and x:
            x, y = 0.0, y + 22
        parts.append(
            f'<g class="{key}" transform="translate({x:.1f},{y:.1f})">'
            '<rect class="mark" rx="3" width="12" height="12"/>'
            f'<text class="small" x="18" y="10">{escape(text)}</text></g>'
        )
        x += wide
    return "".join(parts), y + 22
