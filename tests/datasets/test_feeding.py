"""From samples to model inputs, and thumbnails."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tfmobile.artifacts import Sample, TensorFact
from tfmobile.datasets import Preprocessing, feed, thumbnail
from tfmobile.errors import DataError

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def fact(*shape: int, dtype: str = "float32", scale: float = 0.0, name: str = "input") -> TensorFact:
    return TensorFact(name, shape, dtype, scale)


def one(array: np.ndarray, wanted: TensorFact, **options: object) -> np.ndarray:
    return feed(Sample("s", (array,)), Preprocessing(**options), [wanted])[wanted.name]  # type: ignore[arg-type]


def test_the_batch_dimension_is_added() -> None:
    found = one(PICTURE, fact(1, 20, 30, 3))
    assert found.shape == (1, 20, 30, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], PICTURE)


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ((49, 10), (1, 49, 10, 1)),
        ((49, 10, 1), (1, 49, 10)),
        ((1, 49, 10), (1, 49, 10, 1)),
        ((490,), (1, 49, 10, 1)),
        ((), (1, 1)),
        ((5, 7), (-1, -1, -1, 1)),
        ((5, 7), (1, -1, 7)),
    ],
)
def test_dimensions_of_size_one_come_and_go(stored: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    values = np.arange(np.prod(stored, dtype=int), dtype=np.float32).reshape(stored)
    found = one(values, fact(*wanted))
    assert found.ndim == len(wanted)
    np.testing.assert_array_equal(found.ravel(), values.ravel())


@pytest.mark.parametrize(
    ("stored", "wanted", "fix"),
    [
        ((20, 30, 3), (1, 224, 224, 3), "--resize 224x224"),
        ((20, 30, 3), (1, 20, 30, 1), "--color gray"),
        ((28, 28), (1, 32, 32, 3), "--color rgb --resize 32x32"),
        ((20, 30, 3), (1, 3, 20, 30), "--layout nchw"),
        ((20, 30, 3), (8, 20, 30, 3), "--input-shape 1,20,30,3"),
        ((10, 49), (1, 49, 10, 1), "--resize 49x10"),
        ((5,), (1, 6), "Store samples of shape [6]"),
    ],
)
def test_a_wrong_shape_names_the_sample_both_shapes_and_the_fix(
    stored: tuple[int, ...], wanted: tuple[int, ...], fix: str
) -> None:
    with pytest.raises(DataError) as caught:
        one(np.zeros(stored), fact(*wanted))
    assert "'s'" in caught.value.what
    assert str(list(stored)) in caught.value.what
    assert str(list(wanted)) in caught.value.what
    assert fix in caught.value.fixes[0]


def test_quantized_inputs_are_fed_real_values_and_integer_inputs_integers() -> None:
    assert one(PICTURE, fact(1, 20, 30, 3, dtype="int8", scale=0.1)).dtype == np.float32
    tokens = one(np.array([1.0, 5.0]), fact(1, 2, dtype="int32"))
    assert tokens.dtype == np.int32
    for values in (np.array([0.5, 1]), np.array([300, 1])):
        with pytest.raises(DataError, match="do not fit the uint8 input"):
            one(values, fact(1, 2, dtype="uint8"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(DataError, match="'s' has 1 values that are NaN or infinite"):
        one(np.array([1.0, bad]), fact(1, 2))


def test_several_inputs_by_key_or_in_order() -> None:
    inputs = [fact(1, 2, name="a"), fact(1, 3, name="b")]
    by_key = feed(Sample("s", {"b": np.ones(3), "a": np.zeros(2), "more": np.ones(1)}), Preprocessing(), inputs)
    assert list(by_key) == ["a", "b"]
    in_order = feed(Sample("s", (np.zeros(2), np.ones(3))), Preprocessing(), inputs)
    np.testing.assert_array_equal(in_order["b"], [[1, 1, 1]])
    with pytest.raises(DataError, match="has the arrays a, c; the model has the inputs a, b"):
        feed(Sample("s", {"a": np.zeros(2), "c": np.ones(3)}), Preprocessing(), inputs)
    with pytest.raises(DataError, match="1 array"):
        feed(Sample("s", (np.zeros(2),)), Preprocessing(), inputs)


def test_a_single_array_by_another_key_feeds_the_single_input() -> None:
    assert feed(Sample("s", {"pixels": np.zeros(2)}), Preprocessing(), [fact(1, 2)])["input"].shape == (1, 2)


def test_a_thumbnail_is_a_small_picture() -> None:
    for array, kind in [
        (np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8), "jpeg"),
        (np.zeros((28, 28), np.uint8), "png"),
        (np.full((28, 28, 1), 0.5, np.float32), "png"),
    ]:
        uri = thumbnail(Sample("s", (array,)))
        assert uri is not None
        head, _, body = uri.partition(",")
        assert head == f"data:image/{kind};base64"
        with Image.open(io.BytesIO(base64.b64decode(body))) as picture:
            assert max(picture.size) <= 64
    assert len(thumbnail(Sample("s", (PICTURE,))) or "") < 6000


def test_what_is_no_picture_has_no_thumbnail() -> None:
    for array in (np.zeros(5), np.full((49, 10), -3.0), np.zeros((4, 4), np.uint8), np.zeros((20, 20, 7), np.uint8)):
        assert thumbnail(Sample("s", (array,))) is None
