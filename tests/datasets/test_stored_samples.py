"""Samples written once and read back: the same values, whatever their order; one copy; a split by content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmobile.datasets.stored import StoredSamples, digest, open_stored, split, store
from tfmobile.errors import DataError
from tfmobile.graph.model import Array

Sample = tuple[str, int | None, dict[str, Array]]


def samples(count: int) -> list[Sample]:
    generator = np.random.default_rng(0)
    return [
        (
            f"s{number}",
            number % 3,
            {"x": generator.normal(size=(1, 4, 3)).astype(np.float32), "ids": np.array([[number]], np.int32)},
        )
        for number in range(count)
    ]


def test_values_names_and_labels_come_back_in_the_order_of_digests() -> None:
    given_ = samples(5)
    with store(given_) as stored:
        assert len(stored) == 5
        assert list(stored.digests) == sorted(digest(feed) for _, _, feed in given_)
        by_name = {name: (label, feed) for name, label, feed in given_}
        for number, name in enumerate(stored.names):
            label, feed = by_name[name]
            assert stored.labels[number] == label
            found = stored.feed(number)
            assert found.keys() == feed.keys()
            for key, value in feed.items():
                assert found[key].dtype == value.dtype
                np.testing.assert_array_equal(found[key], value)


def test_batches_join_samples_along_the_first_axis() -> None:
    with store(samples(5)) as stored:
        batches = list(stored.batches(2))
        assert [batch["x"].shape for batch in batches] == [(2, 4, 3), (2, 4, 3), (1, 4, 3)]
        joined = np.concatenate([batch["x"] for batch in batches])
        np.testing.assert_array_equal(joined, np.concatenate([stored.feed(number)["x"] for number in range(5)]))


@given(order=st.permutations(range(9)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_samples_changes_nothing(order: list[int]) -> None:
    given_ = samples(9)
    given_.append(("copy", 7, given_[4][2]))
    given_.append(("a copy", 7, given_[4][2]))
    with store(given_) as first, store([given_[i] for i in [*order, 10, 9]][::-1]) as second:
        assert first.names == second.names
        assert first.labels == second.labels
        assert first.digests == second.digests
        assert [part.names for part in split(first)] == [part.names for part in split(second)]


def test_equal_samples_are_kept_once_and_counted() -> None:
    given_ = samples(3)
    with store([*given_, ("again", 1, given_[0][2]), ("z", None, given_[0][2])]) as stored:
        assert stored.duplicates == 2
        assert sorted(stored.names) == ["again", "s1", "s2"]


def test_other_shape_type_or_key_is_another_sample() -> None:
    x = np.zeros((1, 4), np.float32)
    feeds = [{"x": x}, {"y": x}, {"x": x.reshape(4, 1)}, {"x": x.astype(np.int32)}]
    assert len({digest(feed) for feed in feeds}) == 4
    assert digest({"a": x, "b": x + 1}) == digest({"b": x + 1, "a": x})


def test_samples_of_several_shapes_and_text_can_be_stored() -> None:
    with store([("a", None, {"x": np.ones((1, 2), np.float32), "t": np.array(["word"], object)})]) as stored:
        assert stored.feed(0)["t"].tolist() == [b"word"]
    with store([(str(n), None, {"x": np.ones((1, n), np.float32)}) for n in (1, 2, 3)]) as stored:
        assert sorted(stored.feed(number)["x"].shape[1] for number in range(3)) == [1, 2, 3]


@given(count=st.integers(1, 60), part=st.sampled_from([0.0, 0.1, 0.25, 0.5]))
@settings(max_examples=40, deadline=None)
def test_no_sample_is_both_fitted_on_and_held_back(count: int, part: float) -> None:
    with store(samples(count)) as stored:
        fit, held = split(stored, part)
        assert not set(fit.digests) & set(held.digests)
        assert sorted(fit.digests + held.digests) == list(stored.digests)
        assert len(fit) >= 1
        if part and count >= 16:
            assert len(held) >= 8


def test_more_samples_move_few_between_the_parts() -> None:
    with store(samples(100)) as fewer, store(samples(104)) as more:
        moved = set(split(fewer)[1].names) ^ set(split(more)[1].names)
        assert len(moved) <= 12


def test_a_folder_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "samples"
    assert open_stored(folder) is None
    first = store(samples(4), folder)
    again = open_stored(folder)
    assert again is not None
    assert again.digests == first.digests
    np.testing.assert_array_equal(again.feed(2)["x"], first.feed(2)["x"])
    assert [path.name for path in folder.parent.iterdir()] == ["samples"]


def test_an_interrupted_run_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    store(samples(4), folder)

    def ends_early() -> Iterator[Sample]:
        yield samples(1)[0]
        raise DataError("The data end here.", fixes=["Look."])

    with pytest.raises(DataError):
        store(ends_early(), folder)
    found = open_stored(folder)
    assert found is not None
    assert len(found) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]
    store(samples(2), folder)
    found = open_stored(folder)
    assert found is not None
    assert len(found) == 2


def test_a_folder_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    store(samples(4), folder)
    content = (folder / "values.bin").read_bytes()
    (folder / "values.bin").write_bytes(content[:100])
    assert open_stored(folder) is None
    (folder / "index.json").write_text("{", encoding="utf-8")
    assert open_stored(folder) is None


def test_a_temporary_folder_goes_with_the_context() -> None:
    with store(samples(2)) as stored:
        folder = stored._temporary
        assert folder is not None
        assert folder.is_dir()
        part: StoredSamples = stored.subset([1])
        assert part.names == stored.names[1:]
    assert not folder.exists()


def test_no_samples_at_all() -> None:
    with store([]) as stored:
        assert len(stored) == 0
        assert list(stored.batches(4)) == []
        assert [len(part) for part in split(stored)] == [0, 0]
