"""A data set divided in two, and the lists of samples that name the parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tfmobile.datasets import open_dataset
from tfmobile.datasets.spec import DataSpec
from tfmobile.datasets.subset import divide, subset_text
from tfmobile.errors import DataError

PICTURES = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
PICTURES[30:] = PICTURES[:10]  # ten of them twice
LABELS = np.arange(40) % 10


def stored(folder: Path, order: np.ndarray) -> str:
    path = folder / "data.npz"
    np.savez(path, x=PICTURES[order], y=LABELS[order])
    return str(path)


def contents(positions: tuple[int, ...], order: np.ndarray) -> set[bytes]:
    return {PICTURES[order][position].tobytes() for position in positions}


def test_which_part_a_sample_is_in_does_not_depend_on_the_order_of_samples(tmp_path: Path) -> None:
    parts = []
    for number, order in enumerate((np.arange(40), np.arange(40)[::-1])):
        (tmp_path / str(number)).mkdir()
        fit, judge, total = divide(DataSpec(stored(tmp_path / str(number), order)), 500)
        assert total == 40
        assert sorted(fit + judge) == list(range(40))
        parts.append((contents(fit, order), contents(judge, order)))
    assert parts[0] == parts[1]
    assert not parts[0][0] & parts[0][1], "equal samples are on both sides"


def test_a_list_of_samples_is_a_data_set_with_their_labels(tmp_path: Path) -> None:
    path = stored(tmp_path, np.arange(40))
    file = tmp_path / "lists" / "some.json"
    file.parent.mkdir()
    file.write_text(subset_text(file, path, [3, 17, 31], 40, "abc"), encoding="utf-8")
    dataset = open_dataset(DataSpec(str(file), label_offset=1))
    assert [sample.label for _, sample in dataset.iterate()] == [4, 8, 2]
    np.testing.assert_array_equal(dataset.read(1).values[0], PICTURES[17])
    assert json.loads(file.read_text())["data"] == "../data.npz"


def test_a_limit_divides_the_samples_that_are_used(tmp_path: Path) -> None:
    fit, judge, total = divide(DataSpec(stored(tmp_path, np.arange(40)), limit=20), 500)
    assert total == 40
    assert sorted(fit + judge) == list(range(0, 40, 2))


def test_few_are_taken_to_fit_when_there_are_many(tmp_path: Path) -> None:
    fit, judge, _ = divide(DataSpec(stored(tmp_path, np.arange(40))), 6)
    assert 6 <= len(fit) <= 7
    assert len(judge) >= 33


def test_a_data_set_that_has_changed_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, np.arange(30))
    file = tmp_path / "some.json"
    file.write_text(subset_text(file, path, [3], 40, ""), encoding="utf-8")
    with pytest.raises(DataError, match="30 samples, but"):
        open_dataset(DataSpec(str(file)))
    file.write_text('{"tfmobile-samples": 1}', encoding="utf-8")
    with pytest.raises(DataError, match="no list of samples"):
        open_dataset(DataSpec(str(file)))


def test_one_sample_cannot_be_divided(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 different sample"):
        divide(DataSpec(stored(tmp_path, np.zeros(5, int))), 500)
