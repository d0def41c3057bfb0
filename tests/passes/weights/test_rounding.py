"""round-weights: at most so many values, none moved by more than half a step."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfmobile.errors import TfmobileError
from tfmobile.graph.edit import constant
from tfmobile.graph.model import Graph
from tfmobile.passes import make_pass

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)


def _rounded(values: np.ndarray, steps: int) -> np.ndarray:
    graph = Graph({"w": constant("w", values)}, (), ())
    result = make_pass(f"round_weights(num_steps={steps})").apply(graph).graph
    value = result.nodes["w"].value
    assert value is not None
    again = make_pass(f"round_weights(num_steps={steps})").apply(result)
    assert again.graph is result
    assert not again.changed
    return value


@SETTINGS
@given(values=arrays.arrays(np.float32, st.integers(16, 60), elements=FLOATS), steps=st.integers(2, 300))
def test_few_values_all_of_them_near(values: np.ndarray, steps: int) -> None:
    rounded = _rounded(values, steps)
    step = (float(values.max()) - float(values.min())) / (steps - 1)
    assert len(np.unique(rounded)) <= steps
    assert rounded.min() == values.min()
    assert rounded.max() == values.max()
    moved = np.abs(rounded.astype(np.float64) - values)
    assert (moved <= step / 2 + np.spacing(np.abs(values).max())).all()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floats_are_rounded_too(dtype: type) -> None:
    values = np.random.default_rng(0).normal(size=(8, 8)).astype(dtype)
    rounded = _rounded(values, 8)
    assert rounded.dtype == dtype
    assert 4 < len(np.unique(rounded.astype(np.float64))) <= 8


def test_doubles_too_far_apart_stay() -> None:
    values = np.linspace(-1, 1, 20) * np.finfo(np.float64).max
    assert _rounded(values, 4).tobytes() == values.tobytes()


@pytest.mark.parametrize("call", ["round_weights(num_steps=1)", "round_weights(num_steps=-3)"])
def test_fewer_than_two_values_are_refused(call: str) -> None:
    with pytest.raises(TfmobileError, match="num_steps"):
        make_pass(call)
