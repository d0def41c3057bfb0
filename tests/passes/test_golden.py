"""Each pass on graphs written as text: what comes out, and what is said about it.

A file whose graph cannot be run has a line ``# not run: reason``.

``TFMOBILE_WRITE_GOLDEN=1 pytest tests/passes/test_golden.py`` writes the files anew.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from tfmobile import registry
from tfmobile.artifacts import PassResult
from tfmobile.graph.text import print_graph
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import PASSES, make_pass, rewrite

FILES = sorted((Path(__file__).parent / "golden").glob("*.txt"))
ONCE = {"insert-logging", "bake-preprocessing"}
"""Passes that do their work again when asked again."""


def _parts(file: Path) -> tuple[str, str, str]:
    """The pass that the file calls, and the text before and after it."""
    before, _, after = file.read_text(encoding="utf-8").partition("# after\n")
    return before.splitlines()[0].removeprefix("# pass: "), before, after


def _said(result: PassResult) -> str:
    lines = [*(f"# changed: {line}" for line in result.changed), *(f"# skipped: {line}" for line in result.skipped)]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_pass_gives_the_graph_in_the_file(file: Path) -> None:
    call, before, _ = _parts(file)
    graph = parse_graph(before)
    result = make_pass(call).apply(graph)
    expected = f"{before}# after\n{print_graph(result.graph)}{_said(result)}"
    if os.environ.get("TFMOBILE_WRITE_GOLDEN"):
        file.write_text(expected, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == expected
    assert print_graph(parse_graph(before)) == print_graph(graph), "a pass never changes the graph it is given"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_second_time_changes_nothing(file: Path) -> None:
    call, _, after = _parts(file)
    one = make_pass(call)
    if one.name not in ONCE:
        assert not one.apply(parse_graph(after)).changed


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_graph_in_the_file_answers_as_before(file: Path) -> None:
    call, before, _ = _parts(file)
    (step,) = rewrite(parse_graph(before), call, tolerance=1e-5).steps
    assert not step.refused, (step.reason, step.first_difference)
    note = next((line for line in before.splitlines() if line.startswith("# not run: ")), None)
    assert (step.max_rel is None) == (note is not None), step.reason


def test_every_pass_has_a_graph_in_a_file() -> None:
    assert not set(PASSES) - {make_pass(_parts(file)[0]).name for file in FILES}


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_knows_its_name_and_says_what_it_does(name: str) -> None:
    kind = registry.load("pass", PASSES, name)
    assert kind.name == name
    assert kind.__doc__
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
