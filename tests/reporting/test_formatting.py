"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from tfmobile.reporting import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (584_000, "584 kB"),
        (999_600, "1.00 MB"),
        (1_926_356, "1.93 MB"),
        (4.2e9, "4.20 GB"),
    ],
)
def test_sizes(value: float, text: str) -> None:
    assert formatting.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9123, "0.912 ms"),
        (12.34, "12.3 ms"),
        (9.996, "10.0 ms"),
        (0.00123, "0.00123 ms"),
        (999.7, "1.00 s"),
        (1240, "1.24 s"),
        (math.nan, "–"),
    ],
)
def test_milliseconds_have_three_digits(value: float, text: str) -> None:
    assert formatting.milliseconds(value) == text


def test_minus_is_a_minus_and_zero_has_no_sign() -> None:
    assert formatting.points(-0.004) == "−0.4"
    assert formatting.points(0.0081) == "+0.8"
    assert formatting.points(-0.0001) == "0.0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (3.1e-7, "3.1e−7"), (0.0042, "0.0042"), (0.3127, "0.31"), (12.34, "12.3")],
)
def test_differences_over_many_magnitudes(value: float | None, text: str) -> None:
    assert formatting.small(value) == text


def test_durations_ratios_and_lists() -> None:
    assert formatting.seconds(0.05) == "0.05 s"
    assert formatting.seconds(72.4) == "1 min 12 s"
    assert formatting.times(1.07) == "1.07×"
    assert formatting.times(3.31) == "3.3×"
    assert formatting.listed(["a", "b", "c"]) == "a, b and c"
    assert formatting.count(1200, "sample") == "1,200 samples"
    assert formatting.decibels(math.inf) == "exact"
