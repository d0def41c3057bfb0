"""What the terminal shows, at 80 columns and without colour."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from tests.reporting import build
from tfmobile.artifacts import Report
from tfmobile.reporting import print_evaluation, print_latency, print_table

SNAPSHOT = """
 mobilenet_v1_0.25_224/frozen.pb · int8 · cpu
 ✓ 3.3× smaller and 2.3× faster, with no measurable loss of accuracy.

           Original   Optimized   Change
 Size       1.88 MB      572 kB   3.3× smaller
 Latency    2.20 ms    0.951 ms   2.3× faster (ratio 2.31, 2.24 to 2.40)
 Memory     6.24 MB     5.03 MB
 Top-1       64.6 %      64.2 %   no measurable loss (−0.4 points, 95 %
                                  interval −1.6 to +0.8, 500 samples)
 Top-5       85.0 %      84.8 %

 Operators  29 integer, 1 float, 1 boundary
 Improved   own-range-pools, correct-bias: agreement 82.4 % → 95.2 % (125
            held-back samples)
 Note !     The pass 'fold-constants' was refused and changed nothing: the
            outputs differ by 0.0417 relative, tolerance 0.0001.
 Note !     1 operator still computes in float: SOFTMAX.
 Note !     The time budget ended before the median was certain: optimized (1
            thread, XNNPACK off). Give more time with --latency-budget.
 Note       Latency was not measured on a phone: this is the host's CPU.
 Report     build/report.html
"""


def printed(show: Callable[[Any, Console], None], value: Any, width: int = 80) -> str:
    stream = io.StringIO()
    show(value, Console(file=stream, width=width, no_color=True, legacy_windows=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n"))


def test_the_summary_of_a_run_at_80_columns() -> None:
    assert printed(print_table, build.realistic()) == SNAPSHOT


@pytest.mark.parametrize("name", ["realistic", "minimal", "slower", "ten_classes"])
def test_the_summary_is_short_and_fits(name: str) -> None:
    found: Report = getattr(build, name)()
    many = dataclasses.replace(found, notes=tuple(f"note number {index}" for index in range(20)))
    lines = printed(print_table, many).split("\n")
    assert len(lines) <= 32
    assert max(len(line) for line in lines) <= 80


def test_random_calibration_is_a_warning() -> None:
    assert "Warning ✕  Calibrated on random numbers" in printed(print_table, build.minimal())


def test_names_are_printed_as_they_are_not_as_markup() -> None:
    text = printed(print_table, build.hostile("[bold red]x[/bold red]"), 200)
    assert "[bold red]x[/bold red]" in text


def test_an_evaluation_alone() -> None:
    text = printed(print_evaluation, build.evaluation())
    assert "64.6 % (60.3 to 68.7 %)" in text
    assert "optimized against original: no measurable loss" in text
    assert "McNemar p = 0.52" in text
    assert "Note: 3 pictures were grey" in text
    assert max(len(line) for line in text.split("\n")) <= 80


def test_a_benchmark_alone() -> None:
    text = printed(print_latency, build.latency(0.71))
    assert "slower than the original (ratio 0.71" in text
    assert "original (TF)" in text
    assert "9.27 ms*" in text
    assert "Fed with 32 real samples" in text
    assert max(len(line) for line in text.split("\n")) <= 80


def test_one_model_alone_needs_no_comparison() -> None:
    whole = build.evaluation()
    alone = dataclasses.replace(whole, models=whole.models[:1], comparisons=())
    assert "against" not in printed(print_evaluation, alone)
    rows = tuple(row for row in build.latency().rows if row.name == "original")
    assert "against" not in printed(print_latency, dataclasses.replace(build.latency(), rows=rows, ratios=()))
