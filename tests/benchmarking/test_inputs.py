"""What models are fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfmobile.artifacts import TensorFact
from tfmobile.benchmarking.inputs import Port, arrange, describe_random, ports, random_feeds, ranges, write
from tfmobile.errors import DataError

FLOAT = Port(TensorFact("image", (1, 2, 2, 1), "float32"), "serving_default_image:0")
INT8 = Port(TensorFact("image", (1, 2, 2, 1), "int8", 0.5, -128), "x")
TOKENS = Port(TensorFact("tokens", (-1, 3), "int32"), "t")


def test_random_values_come_from_the_range_of_the_quantized_input_for_all_models() -> None:
    spans = ranges([[FLOAT], [INT8]])
    assert spans == {"image": (0.0, 127.5)}
    original, optimized = random_feeds([FLOAT], spans, 0), random_feeds([INT8], spans, 0)
    np.testing.assert_array_equal(original[3][0], optimized[3][0])
    assert original[0][0].dtype == np.float32
    assert original[0][0].max() > 2
    assert describe_random(spans) == "8 random samples, seeded (image: 0 to 127.5)"


def test_random_values_differ_between_samples_and_are_never_all_zero() -> None:
    feeds = random_feeds([FLOAT], ranges([[FLOAT]]), 0)
    assert len({feed[0].tobytes() for feed in feeds}) == len(feeds)
    assert all(feed[0].any() for feed in feeds)


def test_random_token_numbers_stay_small_and_open_dimensions_are_one() -> None:
    feeds = random_feeds([TOKENS], ranges([[TOKENS]]), 0)
    assert feeds[0][0].shape == (1, 3)
    assert feeds[0][0].dtype == np.int32
    assert set(np.concatenate([feed[0].ravel() for feed in feeds])) == {0, 1}


@pytest.mark.parametrize("key", ["image", "serving_default_image:0", "other"])
def test_samples_are_found_by_key_by_tensor_name_or_by_position(key: str) -> None:
    array = np.ones((1, 2, 2, 1), np.float32)
    assert arrange([{key: array}], [FLOAT], "m")[0][0] is array


def test_a_sample_of_the_wrong_shape_is_refused_with_both_shapes() -> None:
    with pytest.raises(DataError) as caught:
        arrange([{"image": np.ones((1, 4, 4, 1))}], [FLOAT], "m")
    assert "[1, 4, 4, 1]" in caught.value.why
    assert "[1, 2, 2, 1]" in caught.value.why


def test_a_sample_with_too_few_arrays_is_refused() -> None:
    with pytest.raises(DataError, match="do not fit"):
        arrange([{"image": np.ones((1, 2, 2, 1))}], [FLOAT, TOKENS], "m")


def test_the_file_names_sample_and_input_by_number(tmp_path: Path) -> None:
    write(tmp_path / "f.npz", [[np.ones(1), np.zeros(2)], [np.ones(3), np.zeros(4)]])
    with np.load(tmp_path / "f.npz") as archive:
        assert sorted(archive.files) == ["0.0", "0.1", "1.0", "1.1"]


def test_the_inputs_told_by_a_runner_keep_key_and_tensor_name() -> None:
    row = {"key": "k", "name": "n", "shape": [1, None], "dtype": "uint8", "scale": 0.25, "zero_point": 7}
    assert ports([row]) == (Port(TensorFact("k", (1, -1), "uint8", 0.25, 7), "n"),)
