from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmobile.graph.model import Array
from tfmobile.quantization.simulation.arithmetic_kernels import add
from tfmobile.quantization.simulation.kernel import (
    RELU,
    RELU6,
    Call,
    activated,
    round_half_away,
    round_half_even,
    round_half_up,
)
from tfmobile.quantization.simulation.reading import Operator, Tensor

NUMBERS = st.lists(st.floats(-(2**20), 2**20, width=32), min_size=1, max_size=50)
SETTINGS = settings(max_examples=60, deadline=None)  # the first call imports TensorFlow
SCALES = st.floats(1e-3, 1.0)


def tensor(scale: float, zero_point: int = 0) -> Tensor:
    return Tensor(0, "t", (4,), "int8", np.array([scale], np.float32), zero_point, 0, None)


def tf() -> Any:
    import tensorflow

    return tensorflow


def as_array(values: Any) -> Array:
    return np.asarray(values.numpy())


@SETTINGS
@given(NUMBERS)
def test_each_rounding_gives_the_nearest_integer_and_they_differ_in_halves_only(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)
    even, away, up = (as_array(one(tf(), values)) for one in (round_half_even, round_half_away, round_half_up))
    halves = np.abs(values - np.trunc(values)) == 0.5
    for found in (even, away, up):
        assert np.abs(found - values).max() <= 0.5 + 1e-1 * (np.abs(values).max() > 2**19)
        np.testing.assert_array_equal(found[~halves], np.rint(values)[~halves])
    np.testing.assert_array_equal(away[halves], (values + np.copysign(0.5, values))[halves])
    np.testing.assert_array_equal(up[halves], (values + 0.5)[halves])


@SETTINGS
@given(st.integers(-300, 300), SCALES, st.integers(-128, 127), st.sampled_from([0, RELU, RELU6]))
def test_what_an_activation_lets_through_is_what_the_type_holds_of_it(
    value: int, scale: float, zero_point: int, activation: int
) -> None:
    output = tensor(scale, zero_point)
    found = int(activated(tf(), np.float32(value), output, activation))
    low, high = output.bounds
    assert low <= found <= high
    if activation:
        assert found >= 0
    if activation == RELU6:
        assert found * output.scale <= 6 + output.scale / 2
    allowed = (value >= 0 or not activation) and (activation != RELU6 or value * scale <= 6 - scale)
    if low <= value <= high and allowed:
        assert found == value


@SETTINGS
@given(SCALES, SCALES, SCALES, st.integers(-128, 127))
def test_a_sum_is_off_by_no_more_than_rounding(one: float, two: float, out: float, zero_point: int) -> None:
    inputs, output = (tensor(one), tensor(two)), tensor(out, zero_point)
    grids = np.meshgrid(np.arange(-255, 256, 5, dtype=np.float32), np.arange(-255, 256, 5, dtype=np.float32))
    made = as_array(add(Call(tf(), Operator("ADD", inputs, (output,), {}), grids, False)).grid)
    exact = (grids[0] * inputs[0].scale + grids[1] * inputs[1].scale) / output.scale
    assert np.abs(made - np.clip(exact, *output.bounds)).max() <= 0.5 + 1e-3 * np.abs(exact).max()
