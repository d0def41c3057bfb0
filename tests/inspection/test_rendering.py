"""What ``inspect`` prints."""

from __future__ import annotations

import io

from rich.console import Console

from tests.inspection.graphs import Nodes
from tests.runtime.tiny import add_one, quantized_relu
from tfmobile.inspection import GraphInspection, TFLiteInspection, inspect_graph, inspect_tflite, print_inspection
from tfmobile.inspection.rendering import count, size


def printed(inspection: GraphInspection | TFLiteInspection, width: int = 120) -> str:
    stream = io.StringIO()
    print_inspection(inspection, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_a_graph_shows_its_numbers_and_the_next_command() -> None:
    nodes = Nodes()
    nodes.norm("n", nodes.convolution("c", "x", 3, 3, 3, 16), 16)
    nodes.unary("y", "Erfc", nodes.unary("copy", "Identity", "n"))
    text = printed(inspect_graph(nodes.source("y")))
    for words in ("432", "27.6 k", "1 of 1 fold", "Identity × 1", "Erfc × 1", "[1, 8, 8, 16]"):
        assert words in text, words
    assert "tfmobile optimize model.pb --input x --output y --recipe int8 --data DATA" in text


def test_a_tflite_shows_its_quantization() -> None:
    text = printed(inspect_tflite(quantized_relu(), "r.tflite"))
    assert "full int8" in text
    assert "int8 [1, 4], real = 0.5 · (q − 3)" in text


def test_names_that_look_like_markup_are_printed_as_they_are() -> None:
    assert "[bold]odd.tflite" in printed(inspect_tflite(add_one(), "[bold]odd.tflite"))


def test_numbers_have_decimal_units() -> None:
    assert (size(999), size(584_000), size(1_883_168)) == ("999 B", "584 kB", "1.88 MB")
    assert (count(12), count(41_030_272), count(4_100_000_000)) == ("12", "41 M", "4.1 G")
