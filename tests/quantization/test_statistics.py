"""Statistics equal what numpy finds in the tensors themselves; odd samples are set aside, ordinary ones are not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quantization.small_models import network, samples, with_loop
from tfmobile.artifacts import Statistics
from tfmobile.datasets.stored import StoredSamples, store
from tfmobile.errors import DataError, ToolError
from tfmobile.graph.model import Array
from tfmobile.quantization import calibrate
from tfmobile.quantization import statistics as stage
from tfmobile.quantization.calibration import ONLY_OUTSIDE
from tfmobile.quantization.sample_screening import screen, screen_inputs
from tfmobile.quantization.statistics import measure_statistics
from tfmobile.quantization.statistics_file import dump, load
from tfmobile.quantization.tallies import BINS, Channels, Histogram, HistogramTally, joined, means, unit
from tfmobile.runtime import run

Samples = Sequence[tuple[str, dict[str, Array]]]


def stored(data: Samples) -> StoredSamples:
    return store((name, None, feed) for name, feed in data)


def pictures(count: int) -> list[tuple[str, dict[str, Array]]]:
    """Samples in −1 … 1, as pictures are after preprocessing; the first is black, the second white."""
    generator = np.random.default_rng(5)
    found = [
        (f"picture-{number}", {"x": generator.uniform(-1, 1, (1, 12, 12, 3)).astype(np.float32)})
        for number in range(count)
    ]
    found[0][1]["x"][:] = -1
    found[1][1]["x"][:] = 1
    return found


def measured(data: Samples) -> Statistics:
    with stored(data) as some:
        return measure_statistics(network(), some)


def test_extremes_histograms_and_channels_are_those_of_the_tensors() -> None:
    data = pictures(12)
    with stored(data) as some:
        found = measure_statistics(network(), some)
        seen = run(network(), [some.feed(index) for index in range(12)], tensors=True)
        assert found.samples == some.names
    names = set(seen[0]) - {"y"}
    assert len(names) >= 5
    for name in names:
        tensor = found.tensors[name]
        values = np.stack([each[name] for each in seen])
        np.testing.assert_allclose(tensor.lows, [each[name].min() for each in seen], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(tensor.highs, [each[name].max() for each in seen], rtol=1e-4, atol=1e-5)
        assert tensor.below + tensor.counts.sum() + tensor.above == values.size
        rows = values.reshape(-1, values.shape[-1])
        assert tensor.channel_lows is not None
        assert tensor.channel_highs is not None
        assert tensor.channel_means is not None
        np.testing.assert_allclose(tensor.channel_lows, rows.min(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(tensor.channel_highs, rows.max(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(tensor.channel_means, rows.mean(axis=0), rtol=1e-3, atol=1e-5)


def test_ranges_are_those_of_calibration() -> None:
    data = samples(6)
    found = measured(data)
    assert {key: tensor.range for key, tensor in found.tensors.items()} == dict(
        calibrate(network(), data, source="test").ranges
    )


@given(order=st.permutations(range(9)))
@settings(max_examples=4, deadline=None)
def test_the_order_of_the_samples_does_not_change_one_byte(order: list[int]) -> None:
    data = pictures(9)
    assert dump(measured([data[number] for number in order])) == dump(measured(data))


def test_stored_statistics_are_read_back() -> None:
    found = measured(pictures(5))
    again = load(dump(found))
    assert again.samples == found.samples
    assert again.tensors.keys() == found.tensors.keys()
    for key, tensor in found.tensors.items():
        other = again.tensors[key]
        assert (tensor.edges, tensor.below, tensor.above) == (other.edges, other.below, other.above)
        for name in ("lows", "highs", "counts", "channel_lows", "channel_highs", "channel_means"):
            np.testing.assert_array_equal(getattr(tensor, name), getattr(other, name))


@pytest.mark.parametrize("content", [b"", b"PK", dump(Statistics({}, ()))[:50]])
def test_damaged_statistics_are_an_error(content: bytes) -> None:
    with pytest.raises(ToolError, match="cannot be read"):
        load(content)


def test_tensors_inside_a_loop_have_a_range_and_no_histogram() -> None:
    with stored(samples(3, (1, 6, 6, 3))) as some:
        found = measure_statistics(with_loop(), some)
        wanted = calibrate(with_loop(), samples(3, (1, 6, 6, 3)), source="test").ranges
    assert found.tensors.keys() == wanted.keys()
    for key, tensor in found.tensors.items():
        assert tensor.range == pytest.approx(wanted[key], rel=1e-4)
    inner = [tensor for tensor in found.tensors.values() if not tensor.counts.size]
    assert inner
    assert len(inner) < len(found.tensors)


def test_a_loop_that_cannot_be_looked_into_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "sees_inside", lambda *_, **__: False)
    with stored(samples(3, (1, 6, 6, 3))) as some:
        assert ONLY_OUTSIDE in measure_statistics(with_loop(), some).notes


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_with_nan_or_infinity_is_an_error_that_names_it(bad: float) -> None:
    data = pictures(4)
    data[2][1]["x"][0, 3, 3, 1] = bad
    with pytest.raises(DataError, match="picture-2"):
        measured(data)


def test_no_samples_are_an_error() -> None:
    with pytest.raises(DataError, match="no calibration samples"):
        measured([])


@pytest.mark.parametrize("value", [1e4, 100.0, 50.0])
def test_a_hot_pixel_sets_its_sample_aside_and_changes_no_range(value: float) -> None:
    clean = pictures(40)
    data = [*clean, ("hot", {"x": clean[7][1]["x"].copy()})]
    data[-1][1]["x"][0, 2, 2, 0] = value
    found = measured(data)
    assert "hot" not in found.samples
    assert len(found.samples) == 40
    assert "'hot'" in found.set_aside[0]
    assert f"{value:.4g}" in found.set_aside[0]
    assert dump(Statistics(found.tensors, found.samples)) == dump(measured(clean))


def test_black_white_and_bright_pictures_are_kept() -> None:
    data = pictures(60)
    data[9][1]["x"][:] = np.abs(data[9][1]["x"]) * 1.5
    found = measured(data)
    assert found.set_aside == ()
    assert len(found.samples) == 60


def test_many_large_samples_are_no_accident() -> None:
    data = pictures(40)
    for _, feed in data[10:14]:
        feed["x"] *= 50
    found = measured(data)
    assert len(found.samples) == 40
    assert found.notes[0].startswith("4 of 40 samples are far larger")


def test_a_sample_that_is_odd_behind_the_input_only_is_set_aside() -> None:
    lows, highs = -np.ones((5, 40), np.float32), np.ones((5, 40), np.float32)
    highs[1:, 3] = 9
    names = [f"s{number}" for number in range(40)]
    assert screen(lows, highs, names, list("abcde"), 1).kept.tolist() == [number != 3 for number in range(40)]
    highs[2:4, 3] = 1
    assert screen(lows, highs, names, list("abcde"), 1).kept.all()


@given(st.lists(st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=40), min_size=1, max_size=8), st.data())
@settings(max_examples=60, deadline=None)
def test_histograms_do_not_depend_on_order_and_miss_no_value(parts: list[list[float]], data: st.DataObject) -> None:
    low = data.draw(st.floats(-8, 0, width=32))
    high = data.draw(st.floats(0, 8, width=32))
    counted = []
    for order in (parts, data.draw(st.permutations(parts))):
        histogram = Histogram(low, high)
        for part in order:
            histogram.add(np.array(part, np.float32))
        counted.append(histogram.finish().tolist())
    assert counted[0] == counted[1]
    values = np.array([value for part in parts for value in part], np.float32)
    assert counted[0][0] == (values < np.float32(low)).sum()
    assert counted[0][-1] == (values > np.float32(high)).sum()
    assert sum(counted[0]) == values.size
    assert min(counted[0]) >= 0
    assert len(counted[0]) == BINS + 2


@given(st.permutations(range(7)), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_channels_do_not_depend_on_order_nor_on_threads(order: list[int], first: int) -> None:
    generator = np.random.default_rng(1)
    values = [generator.normal(size=(1, 5, 4, 3)).astype(np.float32) for _ in range(7)]
    edges = (-4.0, 4.0)
    whole = Channels.of((1, 5, 4, 3), unit(edges))
    threads = [HistogramTally({0: edges}, 7) for _ in range(2)]
    assert whole is not None
    for value in values:
        whole.add(value)
    for place, number in enumerate(order):
        threads[place >= first].add(number, 0, values[number])
    together = joined([thread.channels(0) for thread in threads])
    assert together is not None
    for one, other in zip(together, whole.finish(), strict=True):
        np.testing.assert_array_equal(one, other)
    wanted = np.concatenate(values).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(means(together[2], edges, 7), wanted, rtol=1e-4, atol=1e-6)


def test_every_nth_value_is_counted_of_tensors_with_many() -> None:
    tally = HistogramTally({0: (0.0, 1.0)}, samples=500)
    value = np.random.default_rng(0).uniform(0, 1, (1, 100, 100, 3)).astype(np.float32)
    tally.add(0, 0, value)
    counted = int(tally.counts(0).sum())
    assert counted <= math.ceil(value.size / 13)
    assert counted * 500 >= 0.5e6


def test_two_kinds_of_odd_samples_are_both_found() -> None:
    data = pictures(60)
    data[7][1]["x"][0, 0, 0, 0] = 50.0
    data[31][1]["x"][0, 1, 1, 0] = 1e4
    assert len(measured(data).samples) == 58
    with stored(data) as some:
        screening = screen_inputs(some)
    assert sum(screening.kept) == 58
    assert len(screening.set_aside) == 2
