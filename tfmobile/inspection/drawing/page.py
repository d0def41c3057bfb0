"""The drawing as one page, to move about in, to search, and to look at every node. Nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from tfmobile.inspection.drawing.boxes import Box
from tfmobile.inspection.drawing.styles import file, page_style
from tfmobile.inspection.drawing.svg import Drawing, inner, legend

_MARGIN = 40.0
_MOST_OPERATIONS = 60


def page(drawing: Drawing) -> str:
    """The text of an HTML file; a policy names its own style and script by hash, so that nothing else can run."""
    import jinja2
    from markupsafe import Markup

    style, script = page_style(), file("page.js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(file("page.html.j2")).render(
        drawing=drawing,
        frame=_frame(drawing),
        graph=Markup(inner(drawing)),
        legend=legend(drawing.boxes),
        facts=Markup(_json(_facts(drawing))),
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'",
    )


def _frame(drawing: Drawing) -> str:
    found = drawing.layout
    size = (found.width + 2 * _MARGIN, found.height - found.top + 2 * _MARGIN)
    return " ".join(f"{number:.0f}" for number in (-_MARGIN, found.top - _MARGIN, *size))


def _facts(drawing: Drawing) -> list[dict[str, Any]]:
    number = {box.key: place for place, box in enumerate(drawing.boxes)}
    readers: list[list[int]] = [[] for _ in drawing.boxes]
    for place, box in enumerate(drawing.boxes):
        for key in box.inputs:
            readers[number[key]].append(place)
    return [
        {**_box(box), "from": [number[key] for key in box.inputs], "to": readers[place]}
        for place, box in enumerate(drawing.boxes)
    ]


def _box(box: Box) -> dict[str, Any]:
    more = len(box.operations) - _MOST_OPERATIONS
    return {
        "title": box.title,
        "steps": box.steps,
        "name": box.name,
        "warning": box.warning,
        "operations": [
            {"op": one.op, "name": one.name, "facts": one.facts} for one in box.operations[:_MOST_OPERATIONS]
        ],
        "more": f"And {more:,} more nodes." if more > 0 else "",
    }


def _json(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
