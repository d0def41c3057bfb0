"""Feeding several models at once."""

from __future__ import annotations

import numpy as np
import pytest

from tfmobile.artifacts import Sample, TensorFact
from tfmobile.datasets import Preprocessing, feed
from tfmobile.evaluation.feeds import Feeder
from tfmobile.runtime.interpreter import quantize

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "plan",
    [
        Preprocessing(),
        Preprocessing(mean=(127.5,), std=(127.5,)),
        Preprocessing(mean=(123.7, 116.8, 103.9), std=(58.0, 57.0, 57.5), color="bgr", resize=(8, 8)),
        Preprocessing(mean=(100.0,), std=(2.0,), color="gray", central_crop=0.5),
        Preprocessing(mean=(127.5,), std=(127.5,), layout="nchw"),
    ],
)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_looking_pixels_up_is_bit_for_bit_preprocessing_and_quantizing(plan: Preprocessing, dtype: str) -> None:
    height, width = plan.resize or ((10, 16) if plan.central_crop else (20, 30))
    channels = 1 if plan.color == "gray" else 3
    shape = (1, channels, height, width) if plan.layout == "nchw" else (1, height, width, channels)
    fact = TensorFact("x", shape, dtype, 0.013, 5)
    sample = Sample("s", (PICTURE,))
    expected = quantize(feed(sample, plan, [fact])["x"], 0.013, 5, dtype)
    found = Feeder(plan, [[fact]]).feeds(sample)[0]["x"]
    if found.dtype != np.float32:
        assert plan.layout == "nhwc"
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_array_equal(quantize(found, 0.013, 5, dtype), expected)


def test_models_with_equal_inputs_share_one_feed() -> None:
    one = TensorFact("x", (1, 20, 30, 3), "float32")
    other = TensorFact("x", (1, 20, 30, 3), "int8", 0.5, 1)
    sample = Sample("s", (PICTURE,))
    feeds = Feeder(Preprocessing(mean=(1.0,)), [[one], [other], [one]]).feeds(sample)
    assert feeds[0] is feeds[2]
    assert feeds[1]["x"].dtype == np.int8


def test_floats_are_never_looked_up() -> None:
    fact = TensorFact("x", (1, 20, 30, 3), "int8", 0.5, 1)
    found = Feeder(Preprocessing(), [[fact]]).feeds(Sample("s", (PICTURE.astype(np.float32),)))
    assert found[0]["x"].dtype == np.float32
