"""Every rule gives a range inside of what was seen, with 0 in it; each does what its name says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmobile.artifacts import Statistics, TensorStatistics
from tfmobile.errors import UnknownNameError
from tfmobile.graph.model import Array
from tfmobile.quantization.ranges import RANGE_RULES, choose
from tfmobile.quantization.ranges.min_max import min_max
from tfmobile.quantization.ranges.mse import cost, mse
from tfmobile.quantization.ranges.percentile import percentile
from tfmobile.registry import load
from tfmobile.scheme.int8 import Range

Rule = Callable[[TensorStatistics], Range]


def statistics(values: Array, edges: tuple[float, float] | None = None, bins: int = 512) -> TensorStatistics:
    """Of ``values`` [samples, numbers]."""
    low, high = edges or (float(values.min()), float(values.max()))
    counts, _ = np.histogram(values, bins, (low, high) if high > low else (low, low + 1))
    return TensorStatistics(
        values.min(axis=1).astype(np.float32),
        values.max(axis=1).astype(np.float32),
        (low, high),
        counts.astype(np.int64),
        int((values < low).sum()),
        int((values > high).sum()),
    )


@st.composite
def tensors(draw: st.DrawFn) -> TensorStatistics:
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    kind = draw(st.sampled_from(["normal", "relu", "heavy", "negative", "constant"]))
    values = {
        "normal": lambda: generator.normal(draw(st.floats(-3, 3)), draw(st.floats(0.01, 9)), (6, 400)),
        "relu": lambda: np.maximum(generator.normal(size=(6, 400)), 0),
        "heavy": lambda: generator.standard_cauchy((6, 400)),
        "negative": lambda: -np.abs(generator.normal(5, 1, (6, 400))),
        "constant": lambda: np.full((6, 400), draw(st.sampled_from([0.0, 2.0, -3.0]))),
    }[kind]()
    values = values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    part = draw(st.sampled_from([1.0, 0.5]))
    return statistics(values, (low * part if low < 0 else low, high * part if high > 0 else high))


@pytest.mark.parametrize("name", RANGE_RULES)
@given(tensor=tensors())
@settings(max_examples=25, deadline=None)
def test_ranges_hold_0_and_lie_within_what_was_seen(name: str, tensor: TensorStatistics) -> None:
    rule: Rule = load("range rule", RANGE_RULES, name)
    low, high = rule(tensor)
    seen = tensor.range
    assert min(seen[0], 0.0) <= low <= 0.0 <= high <= max(seen[1], 0.0)
    assert (low < high) == (seen != (0.0, 0.0))


@given(tensor=tensors(), tails=st.tuples(st.floats(1e-6, 0.2), st.floats(1e-6, 0.2)))
@settings(max_examples=60, deadline=None)
def test_percentiles_that_clip_less_are_wider(tensor: TensorStatistics, tails: tuple[float, float]) -> None:
    wide, narrow = percentile(tensor, min(tails)), percentile(tensor, max(tails))
    assert wide[0] <= narrow[0]
    assert wide[1] >= narrow[1]


@given(tensor=tensors())
@settings(max_examples=40, deadline=None)
def test_least_squares_is_never_worse_than_min_max(tensor: TensorStatistics) -> None:
    assert cost(tensor, mse(tensor)) <= cost(tensor, min_max(tensor)) * (1 + 1e-9)


def test_a_percentile_is_the_one_numpy_finds() -> None:
    values = np.random.default_rng(0).normal(size=(20, 5000)).astype(np.float32)
    low, high = percentile(statistics(values), 1e-3)
    np.testing.assert_allclose([low, high], np.quantile(values, [1e-3, 1 - 1e-3]), atol=0.03)


def test_outliers_are_clipped_by_all_rules_but_min_max() -> None:
    values = np.random.default_rng(0).normal(size=(20, 20000)).astype(np.float32)
    values[3, 7] = 40
    tensor = statistics(values, (float(values.min()), 10.0))
    found = {name: choose(Statistics({"t": tensor}, ()), name)["t"][1] for name in RANGE_RULES}
    assert found.pop("min-max") == 40
    assert found.pop("mse") < 40
    assert all(high < 12 for high in found.values()), found


def test_uniform_values_are_not_clipped() -> None:
    values = np.random.default_rng(0).uniform(-2, 6, (10, 20000)).astype(np.float32)
    for name in RANGE_RULES:
        low, high = choose(Statistics({"t": statistics(values)}, ()), name)["t"]
        assert low < -1.9, name
        assert high > 5.9, name


def test_a_tensor_without_a_histogram_keeps_all_it_has() -> None:
    tensor = TensorStatistics(
        np.array([1], np.float32), np.array([2], np.float32), (1.0, 2.0), np.zeros(0, np.int64), 0, 0
    )
    for name in RANGE_RULES:
        assert choose(Statistics({"t": tensor}, ()), name) == {"t": (0.0, 2.0)}


def test_an_unknown_rule_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError) as caught:
        choose(Statistics({}, ()), "minmax")
    assert "min-max" in caught.value.fixes[0]
