"""What ``inspect`` prints."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.inspection.graphs import Nodes
from tests.runtime.tiny import add_one, quantized_relu
from tfmobile.inspection import GraphInspection, TFLiteInspection, inspect_graph, inspect_tflite, print_inspection
from tfmobile.inspection.printing import count, size
from tfmobile.passes.fold_batch_norms import FoldBatchNorms


def printed(inspection: GraphInspection | TFLiteInspection, width: int = 120) -> str:
    stream = io.StringIO()
    print_inspection(inspection, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_a_graph_shows_its_numbers_and_the_next_command() -> None:
    nodes = Nodes()
    nodes.norm("n", nodes.convolution("c", "x", 3, 3, 3, 16), 16)
    nodes.unary("y", "Erfc", nodes.unary("copy", "Identity", "n"))
    source = nodes.source("y")
    assert source.graph is not None
    text = printed(inspect_graph(source, folded=FoldBatchNorms().apply(source.graph)))
    for words in ("432", "27.6 k", "1 of 1 fold", "Identity × 1", "Erfc × 1", "[1, 8, 8, 16]", "y (Erfc)"):
        assert words in text, words
    assert "tfmobile optimize model.pb --input x --output copy --recipe int8 --data DATA" in text
    assert "tfmobile transform model.pb --input x --output y --passes" in text


def test_targets_that_say_the_same_share_a_line() -> None:
    nodes = Nodes((4, 4, 4, 3))
    nodes.unary("y", "Erfc", "x")
    text = " ".join(printed(inspect_graph(nodes.source("y")), 200).split())
    assert "android, cpu, ios, microcontroller, raspberry-pi, raspberry-pi-32: Erfc is no TFLite builtin" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_but_a_command_is_wider_than_the_terminal(width: int) -> None:
    nodes = Nodes()
    last = "x"
    for number in range(20):
        last = nodes.convolution(f"a_long_scope_{number}/with_a_long_layer/Conv2D", last, 1, 1, 3, 3)
    for found in (inspect_graph(nodes.source(last)), inspect_tflite(quantized_relu(), "a" * 90 + ".tflite")):
        lines = printed(found, width).splitlines()
        assert not [line for line in lines if len(line) > width and not line.startswith("  tfmobile ")]


def test_a_tflite_shows_its_quantization() -> None:
    text = printed(inspect_tflite(quantized_relu(), "r.tflite"))
    assert "full int8" in text
    assert "int8 [1, 4], real = 0.5 · (q − 3)" in text


def test_the_structure_is_printed_when_asked_for() -> None:
    nodes = Nodes()
    nodes.convolution("y", "x", 1, 1, 3, 4)
    assert "y (Conv2D): [x, y/kernel]  float32 [1, 8, 8, 4]" in printed(
        inspect_graph(nodes.source("y"), structure=True)
    )
    text = printed(inspect_tflite(quantized_relu(), "r.tflite", structure=True))
    assert "y (RELU): [x]  int8 [1, 4]" in text
    assert "0.5 · (q − 3)" in text.partition("Tensors\n")[2]


def test_names_that_look_like_markup_are_printed_as_they_are() -> None:
    assert "[bold]odd.tflite" in printed(inspect_tflite(add_one(), "[bold]odd.tflite"))


def test_numbers_have_decimal_units() -> None:
    assert (size(999), size(584_000), size(1_883_168)) == ("999 B", "584 kB", "1.88 MB")
    assert (count(12), count(41_030_272), count(4_100_000_000)) == ("12", "41 M", "4.1 G")
    assert (count(999_900), size(1_234_567_890_123)) == ("1000 k", "1235 GB")
