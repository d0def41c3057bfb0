"""The one definition of preprocessing, and its options."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfmobile.datasets import Preprocessing, describe, parse_channels, parse_size, preprocess, to_dict, validate
from tfmobile.datasets.preprocessing import central_crop, preprocess_array, resize
from tfmobile.errors import DataError, UsageError

PICTURE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def test_nothing_set_changes_nothing() -> None:
    assert preprocess_array(PICTURE, Preprocessing()) is PICTURE


def test_mean_and_std_are_subtract_then_divide() -> None:
    found = preprocess_array(PICTURE, Preprocessing(mean=(127.5,), std=(127.5,)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (PICTURE - 127.5) / 127.5, atol=1e-6)
    by_channel = preprocess_array(PICTURE, Preprocessing(mean=(123.7, 116.8, 103.9)))
    np.testing.assert_allclose(by_channel, PICTURE - np.array([123.7, 116.8, 103.9]), atol=1e-4)


def test_resizing_is_that_of_pillow_and_near_that_of_tensorflow() -> None:
    import tensorflow as tf

    found = resize(PICTURE, 16, 20)
    expected = np.asarray(Image.fromarray(PICTURE).resize((20, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(found, expected)
    theirs = tf.image.resize(PICTURE, (16, 20), method="bilinear", antialias=True).numpy()
    assert np.abs(found - theirs).max() <= 1.01
    floats = resize(PICTURE.astype(np.float32), 16, 20)
    assert np.abs(floats - theirs).max() < 1e-2


def test_resizing_takes_any_number_of_channels() -> None:
    for channels in (1, 2, 4):
        picture = np.random.default_rng(1).integers(0, 256, (9, 7, channels), dtype=np.uint8)
        assert resize(picture, 5, 6).shape == (5, 6, channels)
        assert resize(picture, 5, 6).dtype == np.uint8


def test_the_central_crop_is_that_of_tensorflow() -> None:
    import tensorflow as tf

    for fraction in (0.3, 0.5, 0.875, 0.99, 1.0):
        np.testing.assert_array_equal(central_crop(PICTURE, fraction), tf.image.central_crop(PICTURE, fraction).numpy())


def test_the_order_is_crop_resize_color_normalize_layout() -> None:
    plan = Preprocessing(
        resize=(8, 9), central_crop=0.875, mean=(1.0, 2.0, 3.0), std=(4.0,), color="bgr", layout="nchw"
    )
    step = resize(central_crop(PICTURE, 0.875), 8, 9)[:, :, ::-1]
    expected = ((step - np.array([1.0, 2.0, 3.0])) / 4).transpose(2, 0, 1)
    found = preprocess_array(PICTURE, plan)
    assert found.shape == (3, 8, 9)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gray_is_luma_and_rgb_repeats_gray() -> None:
    gray = preprocess_array(PICTURE, Preprocessing(color="gray"))
    assert gray.shape == (37, 53, 1)
    np.testing.assert_array_equal(gray[:, :, 0], np.asarray(Image.fromarray(PICTURE).convert("L")))
    np.testing.assert_allclose(preprocess_array(PICTURE.astype(float), Preprocessing(color="gray")), gray, atol=1)
    flat = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(preprocess_array(flat, Preprocessing(color="rgb"))[:, :, 2], flat)


def test_arrays_of_any_shape_take_mean_and_std_only() -> None:
    vector = np.arange(5.0)
    np.testing.assert_allclose(preprocess_array(vector, Preprocessing(mean=(1.0,))), vector - 1)
    with pytest.raises(DataError, match="no picture"):
        preprocess_array(vector, Preprocessing(resize=(2, 2)), "v")


def test_of_several_inputs_only_pictures_are_preprocessed() -> None:
    ids = np.arange(4)
    found = preprocess({"image": PICTURE, "ids": ids}, Preprocessing(mean=(5.0,)))
    assert isinstance(found, dict)
    np.testing.assert_array_equal(found["ids"], ids)
    np.testing.assert_allclose(found["image"], PICTURE - 5.0)
    with pytest.raises(DataError, match="none of which is a picture"):
        preprocess((ids, ids), Preprocessing(mean=(5.0,)))


def test_channels_that_do_not_fit_are_named_with_the_sample() -> None:
    with pytest.raises(DataError, match=r"'a\.png' has shape"):
        preprocess((PICTURE[:, :, :2],), Preprocessing(mean=(1.0, 2.0, 3.0)), "a.png")
    with pytest.raises(DataError, match="4 channels"):
        preprocess_array(np.zeros((8, 8, 4)), Preprocessing(color="bgr"))


@pytest.mark.parametrize(
    "plan",
    [
        Preprocessing(std=(0.0,)),
        Preprocessing(std=(-1.0,)),
        Preprocessing(mean=(float("nan"),)),
        Preprocessing(central_crop=0.0),
        Preprocessing(central_crop=1.5),
        Preprocessing(resize=(0, 5)),
        Preprocessing(resize=(5,)),
        Preprocessing(mean=(1.0, 2.0), std=(1.0, 2.0, 3.0)),
        Preprocessing(mean=(1.0, 2.0, 3.0), color="gray"),
    ],
)
def test_values_that_fit_no_sample_are_refused(plan: Preprocessing) -> None:
    with pytest.raises(UsageError) as caught:
        validate(plan)
    assert caught.value.fixes


def test_options_are_parsed() -> None:
    assert parse_size("224x192") == (224, 192)
    assert parse_size("96") == (96, 96)
    assert parse_channels("127.5") == (127.5,)
    assert parse_channels("123.7, 116.8,103.9") == (123.7, 116.8, 103.9)


@pytest.mark.parametrize("text", ["", "x", "224x", "0x4", "axb", "1x2x3", "-4x4"])
def test_bad_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "a", "1,,2", "nan", "inf"])
def test_bad_channel_values_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_channels(text)


@given(st.text(max_size=12))
def test_parsers_only_ever_raise_usage_errors(text: str) -> None:
    for parse in (parse_size, parse_channels):
        with contextlib.suppress(UsageError):
            assert parse(text)


def test_it_describes_itself() -> None:
    plan = Preprocessing(resize=(224, 192), central_crop=0.875, mean=(127.5,), std=(127.5,), color="bgr")
    assert describe(plan) == (
        "Cut to the central 87.5 % of each side, then resized to 224×192 (bilinear, antialiased), then as BGR, then "
        "(x − 127.5) / 127.5."
    )
    assert describe(Preprocessing()) == "Values as they are stored."
    assert to_dict(plan)["resize"] == [224, 192]
