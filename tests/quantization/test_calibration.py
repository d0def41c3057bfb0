from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quantization.small_models import network, samples, with_loop
from tfmobile.artifacts import Calibration
from tfmobile.codec import encode
from tfmobile.errors import DataError, ModelError, TfmobileError
from tfmobile.quantization import calibrate
from tfmobile.quantization import calibration as stage
from tfmobile.quantization.tensor_keys import Ranges, merge
from tfmobile.runtime import run


def as_bytes(calibration: Calibration) -> bytes:
    return json.dumps(encode(calibration)).encode()


def test_ranges_are_the_smallest_and_largest_value_of_every_tensor() -> None:
    data = samples(5)
    found = calibrate(network(), data, source="test")
    seen = run(network(), [feed for _, feed in data], tensors=True)
    assert found.samples == 5
    names = set(seen[0]) - {"y"}  # the output by its key; it is there by its tensor name as well
    assert len(names) >= 5
    for name in names:
        low, high = found.ranges[name]
        np.testing.assert_allclose(low, min(each[name].min() for each in seen), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(high, max(each[name].max() for each in seen), rtol=1e-4, atol=1e-5)
    values = np.concatenate([feed["x"].ravel() for _, feed in data])
    assert found.ranges["x"] == (float(values.min()), float(values.max()))


@given(order=st.permutations(range(8)))
@settings(max_examples=6, deadline=None)
def test_the_order_of_the_samples_does_not_change_one_byte(order: list[int]) -> None:
    data = samples(8)
    first = calibrate(network(), data, source="test")
    again = calibrate(network(), [data[number] for number in order], source="test")
    assert as_bytes(again) == as_bytes(first)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"), st.tuples(st.floats(-9, 0, width=32), st.floats(0, 9, width=32)), min_size=1
        ),
        min_size=1,
    ).flatmap(lambda parts: st.tuples(st.just(parts), st.permutations(parts)))
)
def test_merging_ranges_does_not_depend_on_order_or_grouping(pair: tuple[list[Ranges], list[Ranges]]) -> None:
    parts, shuffled = pair
    forward: Ranges = {}
    for part in parts:
        merge(forward, part)
    left: Ranges = {}
    right: Ranges = {}
    for position, part in enumerate(shuffled):
        merge(left if position % 2 else right, part)
    merge(left, right)
    assert left == forward


def test_a_run_that_goes_on_from_a_checkpoint_gives_the_same_bytes() -> None:
    data = samples(7)
    whole = calibrate(network(), data, source="test")
    saved: list[Calibration] = []
    again = calibrate(network(), data, source="test", checkpoint=saved.append, every=3, total=7)
    assert as_bytes(again) == as_bytes(whole)
    assert [calibration.samples for calibration in saved] == [3, 6]
    for start in saved:
        rest = calibrate(network(), data[start.samples :], source="test", start=start)
        assert as_bytes(rest) == as_bytes(whole)


def test_samples_are_drawn_one_at_a_time_and_progress_is_told() -> None:
    told: list[tuple[str, int, int | None]] = []
    drawn = 0

    def feeds() -> Iterator[tuple[str, dict[str, Any]]]:
        nonlocal drawn
        for sample in samples(4):
            assert drawn == len(told)
            drawn += 1
            yield sample

    calibrate(network(), feeds(), source="test", total=4, progress=lambda *told_: told.append(told_))
    assert told == [("calibrate", number, 4) for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_with_nan_or_infinity_is_named(bad: float) -> None:
    data = samples(3)
    data[1][1]["x"][0, 3, 3, 1] = bad
    with pytest.raises(DataError, match="sample-1") as caught:
        calibrate(network(), data, source="test")
    assert caught.value.fixes


def test_a_sample_that_makes_the_model_overflow_is_named() -> None:
    data = samples(2)
    data[1][1]["x"][:] = np.where(data[1][1]["x"] > 0, 3e38, -3e38)
    with pytest.raises(DataError, match="sample-1"):
        calibrate(network(), data, source="test")


def test_a_sample_of_the_wrong_shape_is_named() -> None:
    data = [*samples(2), ("odd-one", {"x": np.ones((1, 5, 5, 3), np.float32)})]
    with pytest.raises(DataError, match="odd-one") as caught:
        calibrate(network(), data, source="test")
    assert "12, 12" in caught.value.why


def test_a_sample_with_another_input_is_named() -> None:
    with pytest.raises(DataError, match="odd-one"):
        calibrate(network(), [("odd-one", {"z": np.zeros((1, 12, 12, 3), np.float32)})], source="test")


def test_constant_data_are_refused() -> None:
    data = [(f"grey-{level}", {"x": np.full((1, 12, 12, 3), level, np.float32)}) for level in range(4)]
    with pytest.raises(DataError, match="grey-0"):
        calibrate(network(), data, source="test")


def test_the_same_sample_over_and_over_is_refused() -> None:
    name, feed = samples(1)[0]
    with pytest.raises(DataError, match="sample-0"):
        calibrate(network(), [(name, feed)] * 5, source="test", checkpoint=lambda _: pytest.fail("saved"), every=2)


def test_one_constant_sample_among_others_is_only_noted() -> None:
    data = [*samples(3), ("black", {"x": np.zeros((1, 12, 12, 3), np.float32)})]
    found = calibrate(network(), data, source="test")
    assert any("black" in note for note in found.notes)


def test_no_samples_are_refused() -> None:
    with pytest.raises(DataError, match="no calibration samples"):
        calibrate(network(), [], source="test")


def test_random_data_are_marked() -> None:
    assert calibrate(network(), samples(2), source="random").random
    assert not calibrate(network(), samples(2), source="folder").random


def test_ranges_inside_a_loop_cover_every_turn() -> None:
    data = samples(3, (1, 6, 6, 3))
    found = calibrate(with_loop(), data, source="test")
    result = max(float(run(with_loop(), [feed])[0]["y"].max()) for _, feed in data)
    highest = [high for _, high in found.ranges.values()]
    assert max(highest) == pytest.approx(result, rel=1e-4)
    assert sum(high > 1 for high in highest) >= 4


def test_a_loop_the_calibrator_cannot_run_is_measured_from_outside_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage, "sees_inside", lambda *_, **__: False)
    data = samples(3, (1, 6, 6, 3))
    found = calibrate(with_loop(), data, source="test")
    assert stage.ONLY_OUTSIDE in found.notes
    assert found.ranges["x"][1] == max(float(feed["x"].max()) for _, feed in data)


def test_a_file_that_is_no_model_is_an_error_and_no_crash() -> None:
    with pytest.raises(ModelError):
        calibrate(b"\x1c\0\0\0TFL3" + b"\xff" * 64, samples(1), source="test")


def test_a_truncated_model_is_an_error_and_no_crash() -> None:
    with pytest.raises(TfmobileError):
        calibrate(network()[:2000], samples(1), source="test")
