"""Each pass on graphs written as text: what comes out, and what is said about it.

``TFMOBILE_WRITE_GOLDEN=1 pytest tests/passes/test_golden.py`` writes the files anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfmobile import registry
from tfmobile.artifacts import PassResult
from tfmobile.graph.text import print_graph
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import PASSES

FILES = sorted((Path(__file__).parent / "golden").glob("*.txt"))


def _said(result: PassResult) -> str:
    lines = [*(f"# changed: {line}" for line in result.changed), *(f"# skipped: {line}" for line in result.skipped)]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_pass_gives_the_graph_in_the_file(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    before = text.partition("# after\n")[0]
    name = before.splitlines()[0].removeprefix("# pass: ")
    graph = parse_graph(before)
    result = registry.load("pass", PASSES, name)().apply(graph)
    expected = f"{before}# after\n{print_graph(result.graph)}{_said(result)}"
    if os.environ.get("TFMOBILE_WRITE_GOLDEN"):
        file.write_text(expected, encoding="utf-8")
    assert text == expected
    assert print_graph(parse_graph(before)) == print_graph(graph), "a pass never changes the graph it is given"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_second_time_changes_nothing(file: Path) -> None:
    before, _, after = file.read_text(encoding="utf-8").partition("# after\n")
    name = before.splitlines()[0].removeprefix("# pass: ")
    result = registry.load("pass", PASSES, name)().apply(parse_graph(after))
    assert not result.changed
