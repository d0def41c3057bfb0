"""What bake-preprocessing refuses, and how it turns feeds into pixels and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfmobile.errors import PassSyntaxError, UnsupportedError, UsageError
from tfmobile.graph.model import Graph
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import make_pass

TWO = """
input a: float32[1,4] = a
input b: float32[1,2] = b
output y: float32[1,4] = y
output z: float32[1,2] = z
a = Placeholder {dtype=float32, shape=[1,4]}
b = Placeholder {dtype=float32, shape=[1,2]}
y = Relu(a) {T=float32}
z = Relu(b) {T=float32}
"""
PICTURE = """
input x: float32[1,2,2,3] = x
output y: float32[1,2,2,3] = y
x = Placeholder {dtype=float32, shape=[1,2,2,3]}
y = Relu(x) {T=float32}
"""


def _graph(text: str) -> Graph:
    return parse_graph(text.strip() + "\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("mean=grey", "not 'grey'"),
        ("std=0", "must not be zero"),
        ('mean="1,2,3", std="1,2"', "3 values and std has 2"),
        ("mean=nan", "must be finite"),
        ("color=gray", "is one of rgb, bgr"),
    ],
)
def test_wrong_values_point_at_the_call(arguments: str, message: str) -> None:
    with pytest.raises(PassSyntaxError, match="column") as found:
        make_pass(f"bake-preprocessing({arguments})")
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("text", "arguments", "error"),
    [
        (TWO, "mean=1", UsageError),
        (TWO, "mean=1, input=c", UsageError),
        (TWO.replace("1,4", "4"), "color=bgr, input=c", UsageError),
        (PICTURE, 'mean="1,2"', UsageError),
        (
            PICTURE.replace("output y: float32[1,2,2,3] = y", "output y: float32[1,2,2,3] = x"),
            "mean=1",
            UnsupportedError,
        ),
        (PICTURE.replace("float32", "int32"), "mean=1", UnsupportedError),
        (PICTURE.replace("= x\n", "= y\n", 1), "mean=1", UnsupportedError),
    ],
)
def test_an_input_that_is_not_clear_or_cannot_take_pixels_is_an_error(
    text: str, arguments: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as found:
        make_pass(f"bake-preprocessing({arguments})").apply(_graph(text))
    assert getattr(found.value, "fixes", ())


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_feeds_are_turned_into_pixels_and_back(dtype: str, layout: str) -> None:
    shape = (1, 2, 2, 3) if layout == "nhwc" else (1, 3, 2, 2)
    text = PICTURE if layout == "nhwc" else PICTURE.replace("1,2,2,3", "1,3,2,2")
    call = f'bake-preprocessing(mean="10,20,30", std=2, color=bgr, dtype={dtype}, layout={layout})'
    result = make_pass(call).apply(_graph(text))
    change = result.feeds["x"]
    axis = -1 if layout == "nhwc" else 1
    pixels: Any = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    feed = change.back(pixels)
    mean = np.array([10.0, 20.0, 30.0]).reshape((1, 1, 1, 3) if layout == "nhwc" else (1, 3, 1, 1))
    np.testing.assert_allclose(feed, (np.flip(pixels.astype("float64"), axis) - mean) / 2, rtol=1e-6)
    assert feed.dtype == np.float32
    again = change.forward(feed)
    assert again.dtype == np.dtype(dtype)
    np.testing.assert_allclose(again.astype("float64"), pixels.astype("float64"), atol=1e-3)
    assert result.graph.inputs[0].dtype == dtype
    assert result.graph.inputs[0].key == "x"
