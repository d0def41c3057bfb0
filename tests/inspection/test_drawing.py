"""The drawing as a file: an SVG that is well-formed, and a page that fetches nothing and lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.inspection.graphs import Nodes
from tests.inspection.test_inspect_tflite import convolution
from tfmobile.artifacts import SourceModel
from tfmobile.errors import UsageError
from tfmobile.inspection import check_ending, draw, inspect_graph, inspect_tflite
from tfmobile.inspection.drawing.lettering import clipped, text_width

HOSTILE = '</script><script>alert("x")</script>'


def network(name: str = "layer") -> SourceModel:
    nodes = Nodes()
    nodes.norm("n", nodes.convolution(name, "x", 3, 3, 3, 16), 16)
    nodes.unary("y", "Relu", "n")
    return nodes.source("y", path="folder/model.pb")


def svg_of(source: SourceModel) -> str:
    return draw(source, inspect_graph(source), "graph.svg")


def page_of(source: SourceModel) -> str:
    return draw(source, inspect_graph(source), "graph.html")


class Page(HTMLParser):
    """The parts of a page that matter here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[tuple[str, str]] = []
        self.styles: list[str] = []
        self.policy = ""
        self.boxes = 0
        self.references: list[str] = []
        self._open: tuple[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        self.boxes += "data-box" in found
        self.references += [found[key] for key in ("src", "href") if key in found]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        self._open = (tag, found.get("type", "")) if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open[0] == "script":
            self.scripts.append((self._open[1], data))
        elif self._open:
            self.styles.append(data)


def facts(page: Page) -> list[dict[str, Any]]:
    (found,) = (json.loads(text) for kind, text in page.scripts if kind == "application/json")
    return list(found)


def test_an_svg_is_well_formed_and_says_what_is_in_the_model() -> None:
    text = svg_of(network())
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("folder/model.pb", "Conv2D 3×3", "BatchNorm · Relu", "8×8×16 float32", "Convolution"):
        assert word in words
    assert "prefers-color-scheme: dark" in text


def test_a_page_holds_every_fact_of_its_nodes() -> None:
    page = Page(page_of(network()))
    found = facts(page)
    assert page.boxes == len(found) == 3
    layer = next(box for box in found if box["title"] == "Conv2D 3×3")
    assert [one["op"] for one in layer["operations"]] == ["Conv2D", "FusedBatchNormV3", "Relu"]
    rows = dict(layer["operations"][0]["facts"])
    assert (rows["padding"], rows["strides"]) == ("SAME", "1, 1, 1, 1")
    assert found[layer["from"][0]]["title"] == "image"
    assert found[layer["to"][0]]["title"] == "y"


def test_a_page_fetches_nothing_and_names_its_scripts_by_hash() -> None:
    page = Page(page_of(network()))
    assert not page.references
    script = next(text for kind, text in page.scripts if kind == "")
    for text in (script, *page.styles):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in page.policy
    assert "default-src 'none'" in page.policy
    assert not re.search(r"https?:", page.styles[0] + script)


def test_names_cannot_break_out_of_the_drawing() -> None:
    for text in (svg_of(network(HOSTILE)), page_of(network(HOSTILE))):
        assert HOSTILE not in text
    ET.fromstring(svg_of(network(HOSTILE)))
    page = Page(page_of(network(HOSTILE)))
    assert len(page.scripts) == 2
    assert facts(page)[1]["name"] == HOSTILE


def test_a_tflite_is_drawn_with_its_quantization() -> None:
    content = convolution()
    source = SourceModel("c.tflite", "tflite", "", "0", len(content), tflite=content)
    text = draw(source, inspect_tflite(content, "c.tflite"), "c.svg")
    ET.fromstring(text)
    assert "CONV_2D 3×3" in text
    assert "0.5 · q" in text


@pytest.mark.parametrize("path", ["graph.png", "graph", "graph.svg.gz"])
def test_another_ending_is_refused(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_ending(path)
    assert "--draw graph" in caught.value.fixes[0]


def test_text_that_is_too_wide_loses_its_beginning_or_its_end() -> None:
    text = "a_long_scope/with_a_long_layer/Conv2D"
    for end in (False, True):
        found = clipped(text, 11, 120, end=end)
        assert text_width(found, 11) <= 120
        assert (found[0] if end else found[-1]) == "…"
    assert clipped("short", 11, 120) == "short"
