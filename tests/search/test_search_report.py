"""What the report says of a search: in the terminal, on the page, and as JSON that fits the schema."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest

from tests.reporting.build import realistic
from tests.reporting.schema_check import problems
from tfmobile.artifacts import Allowance, Interval, Loss, Report, Search, SearchTrial
from tfmobile.reporting import print_table, to_html, to_json
from tfmobile.reporting.schema import report_schema

ALLOWED = Allowance("top-1", 0.005, "--max-drop 0.5")


def trial(name: str, loss: float, size: int, ms: float | None, *, best: bool = False, layers: int = 0) -> SearchTrial:
    return SearchTrial(
        name=name,
        recipe=f'summary = "{name}"\n',
        verdict="within" if loss <= 0.005 else "beyond",
        reason=f"It loses {100 * loss:.1f} points.",
        size_bytes=size,
        samples=500,
        losses=(Loss("top-1", Interval(loss, loss - 0.008, loss + 0.009), loss + 0.008, 2400),),
        agreement=Interval(0.95, 0.93, 0.97),
        latency_ms=ms,
        speed=None if ms is None else Interval(2.2 / ms, 2.15 / ms, 2.25 / ms),
        higher=tuple(f"layer_{index}" for index in range(layers)),
        best=best,
        seconds=8.0,
    )


def search() -> Search:
    failed = SearchTrial("int16x8", 'summary = "x"\n', "failed", "The .tflite crashed the runtime with signal SIGSEGV.")
    trials = (
        trial("int8-fast", 0.034, 572_000, 0.95, best=True),
        trial("int8", 0.0065, 572_400, 0.951, best=True),
        trial("int8-best", 0.006, 572_400, 0.952, best=True),
        trial("int8-best-1-float16", 0.004, 573_900, 1.01, best=True, layers=1),
        trial("int8-best-2-float16", 0.0045, 590_000, 1.08, layers=2),
        trial("float16", 0.0, 960_000, 2.2, best=True),
        trial("dynamic-int8", 0.41, 580_000, 1.6),
        failed,
    )
    why = "int8-best-1-float16 is the fastest of 3 candidates within the budget (at most 0.5 points of top-1)."
    return Search(
        (ALLOWED,), "latency", trials, "int8-best-1-float16", why, False, "val/", "calibration/", 500, "found", 212.0
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return dataclasses.replace(realistic(), search=search())


def test_the_page_has_plots_the_table_and_the_reason(report: Report) -> None:
    page = to_html(report)
    assert search().why.split("(")[0].strip() in page.replace("\u00a0", " ")
    assert "8 candidates by latency on this machine" not in page, "the failed one has no place in a plot"
    assert "7 candidates by latency on this machine" in page
    assert "7 candidates by size" in page
    assert "SIGSEGV" in page
    assert "✓ ◆" in page


def test_the_terminal_shows_every_candidate_with_its_verdict(report: Report) -> None:
    from rich.console import Console

    stream = io.StringIO()
    print_table(report, Console(file=stream, width=80, force_terminal=False))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for one in search().trials:
        assert f" {one.name} " in text
    assert "within ✓ ◆" in text
    assert "3.4 points" in text


def test_the_json_fits_the_schema(report: Report) -> None:
    values = json.loads(json.dumps(to_json(report), allow_nan=False))
    schema = report_schema()
    assert not problems(values, schema, schema)
    assert values["search"]["trials"][3]["higher"] == ["layer_0"]


def test_a_candidate_that_loses_very_much_does_not_flatten_the_plot(report: Report) -> None:
    page = to_html(report)
    assert "−41" not in page.split('id="search"')[1].split("<table")[0]
