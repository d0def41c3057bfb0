"""The order in which layers get more bits: what they gain, and what that costs of the whole model."""

from __future__ import annotations

from tfmobile.artifacts import Fidelity, FloatCost, FloatCosts
from tfmobile.diagnosis.effects import Effects
from tfmobile.search.ranking import by_gain, gains, more_time, sample_count


def kl(value: float) -> Fidelity:
    return Fidelity(32, 0.9, value, 20.0)


def test_gain_decides_where_costs_are_small() -> None:
    gain = {"a": 0.1, "b": 5.0, "c": 0.4}
    assert by_gain(gain, {"a": 0.0, "b": 0.01, "c": 0.0001}) == ("b", "c", "a")


def test_a_layer_that_takes_much_of_the_time_comes_later() -> None:
    assert by_gain({"large": 1.0, "small": 0.5}, {"large": 0.4, "small": 0.001}) == ("small", "large")


def test_layers_without_a_gain_are_left_out_and_faster_ones_are_no_bargain() -> None:
    assert by_gain({"none": 0.0, "a": 0.2, "b": 0.3}, {"a": -5.0, "b": 0.0}) == ("b", "a")


def test_what_a_layer_does_alone_or_repairs_alone_counts() -> None:
    effects = Effects(kl(1.0), {"a": kl(0.3), "b": kl(0.1)}, {"b": kl(0.2)})
    assert gains(effects) == {"a": 0.3, "b": 0.8}


def test_time_is_a_part_of_all_and_many_layers_are_measured_on_fewer_samples() -> None:
    costs = FloatCosts({"a": FloatCost("a", 30, 10, 5), "b": FloatCost("b", 20, 40, 0)}, "timed alone")
    assert more_time(costs) == {"a": 0.5, "b": -0.4}
    assert sample_count(10) == 48
    assert sample_count(60) == 26
    assert sample_count(1000) == 8
