"""What the plots are made from."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.reporting import build
from tfmobile.artifacts import LayerError, OpFact
from tfmobile.reporting.charts.class_change import MOVERS, ClassChange, class_change, in_points, movers
from tfmobile.reporting.charts.latency_distribution import axis_end, by_setting, histogram
from tfmobile.reporting.charts.layer_error import layer_error, worst_layers
from tfmobile.reporting.charts.size_by_layer import TOP, size_by_layer
from tfmobile.reporting.charts.svg import element, ticks
from tfmobile.reporting.layers import clip, layer_sizes, short_names


def test_text_and_attributes_are_escaped() -> None:
    assert element("text", "<b>", class_='"x') == '<text class="&#34;x">&lt;b&gt;</text>'


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 2.3, [0, 0.5, 1, 1.5, 2]), (5, 5, [5])]
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def test_layers_are_paired_by_name_and_by_order_when_the_names_changed() -> None:
    report = build.realistic()
    renamed = tuple(dataclasses.replace(op, output=f"tfl.{op.index}") for op in report.optimized.ops)
    by_name = layer_sizes(report.original, report.optimized)
    by_order = layer_sizes(report.original, dataclasses.replace(report.optimized, ops=renamed))
    assert by_name == by_order
    assert len(by_name) == 28
    assert all(one.original_bytes == 4 * (one.optimized_bytes or 0) for one in by_name)


def test_a_layer_that_only_one_model_has_is_kept() -> None:
    report = build.realistic()
    extra = OpFact(99, "FULLY_CONNECTED", "new", "integer", 10)
    more = dataclasses.replace(report.optimized, ops=(*report.optimized.ops, extra))
    last = layer_sizes(report.original, more)[-1]
    assert (last.name, last.original_bytes, last.optimized_bytes) == ("new", None, 10)


def test_small_layers_are_summed() -> None:
    drawn = size_by_layer(layer_sizes(build.realistic().original, build.realistic().optimized))
    assert f"{28 - TOP} other layers" in drawn


def test_names_lose_what_they_share() -> None:
    assert short_names(["a/b/c/Relu;x", "a/b/d/Relu"]) == ["c/Relu", "d/Relu"]
    assert short_names(["same", "same"]) == ["same", "same"]
    assert clip("abcdefghij", 5) == "ab…ij"


def test_slow_outliers_do_not_flatten_the_histogram_and_settings_stay_apart() -> None:
    row = build.latency_row("original", 2.0)
    slow = dataclasses.replace(row, times_ms=(*row.times_ms, 500.0))
    assert axis_end([slow]) < 4
    assert sum(histogram([0.1, 0.5, 99.0], 1.0, 10)) == 2
    assert len(by_setting(build.latency().rows[:6])) == 3


def test_the_worst_layers_are_the_lowest_finite_ones() -> None:
    errors = [
        LayerError("a", "X", math.inf),
        LayerError("b", "X", 5.0),
        LayerError("c", "X", math.nan),
        LayerError("d", "X", 3.0),
    ]
    assert [one.name for one in worst_layers(errors)] == ["d", "b"]
    assert "nan" not in layer_error(errors)
    assert layer_error([LayerError("a", "X", math.inf)]) == ""


def test_many_classes_show_the_largest_movers_and_few_samples_count_samples() -> None:
    changes = [ClassChange(f"c{index}", 5, 3, 3 + (index % 5 - 2)) for index in range(200)]
    shown = movers(changes)
    assert not in_points(changes)
    assert len(shown) == 2 * MOVERS
    assert shown[0].after - shown[0].before == -2
    assert "−2 of 5" in class_change(changes)
    assert in_points([ClassChange("a", 50, 40, 41)])


def test_no_change_draws_nothing() -> None:
    assert class_change([ClassChange("a", 50, 40, 40)]) == ""
