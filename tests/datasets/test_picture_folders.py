"""Folders of pictures: class folders, labels.csv, no labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfmobile.datasets import DataSpec, open_dataset
from tfmobile.errors import DataError, UsageError


def picture(path: Path, value: int = 100, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def opened(path: Path, **options: object) -> list[tuple[str, object]]:
    dataset = open_dataset(DataSpec(str(path), **options))  # type: ignore[arg-type]
    return [(sample.name, sample.label) for _, sample in dataset.iterate()]


def test_class_folders_are_numbered_in_alphabetical_order(tmp_path: Path) -> None:
    picture(tmp_path / "dog" / "b.png")
    picture(tmp_path / "cat" / "a.png")
    picture(tmp_path / "cat" / "c.JPG")
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"x")
    assert opened(tmp_path) == [("cat/a.png", 0), ("cat/c.JPG", 0), ("dog/b.png", 1)]
    assert open_dataset(DataSpec(str(tmp_path))).class_names == ("cat", "dog")


def test_a_picture_is_read_as_rgb_bytes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 7, mode="L")
    sample = open_dataset(DataSpec(str(tmp_path))).read(0)
    assert isinstance(sample.values, tuple)
    assert sample.values[0].shape == (4, 6, 3)
    assert sample.values[0].dtype == np.uint8
    assert (sample.values[0] == 7).all()


def test_a_labels_file_numbers_the_class_folders(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "cat" / "a.png")
    picture(tmp_path / "data" / "dog" / "b.png")
    (tmp_path / "labels.txt").write_text("fish\ndog\ncat\n")
    assert opened(tmp_path / "data", labels=str(tmp_path / "labels.txt")) == [("cat/a.png", 2), ("dog/b.png", 1)]


def test_folders_named_by_numbers_are_their_labels(tmp_path: Path) -> None:
    for name in ("0", "2", "10"):
        picture(tmp_path / name / "a.png")
    dataset = open_dataset(DataSpec(str(tmp_path)))
    assert [sample.label for _, sample in dataset.iterate()] == [0, 10, 2]
    assert "number is the label" in dataset.notes[0]


def test_a_folder_that_the_labels_file_lacks_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "cat" / "a.png")
    (tmp_path / "labels.txt").write_text("dog\nfish\n")
    with pytest.raises(DataError, match="'cat'"):
        open_dataset(DataSpec(str(tmp_path / "data"), labels=str(tmp_path / "labels.txt")))


def test_labels_csv_with_numbers(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "images" / "b.png")
    (tmp_path / "labels.csv").write_text("file,label\nimages/a.png,3\n\nimages/b.png,1\n")
    assert opened(tmp_path) == [("images/a.png", 3), ("images/b.png", 1)]


def test_labels_csv_with_class_names(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text("\ufefflabel,file\ncat,b.png\nant,a.png\n", encoding="utf-8")
    assert opened(tmp_path) == [("b.png", 1), ("a.png", 0)]
    assert open_dataset(DataSpec(str(tmp_path))).class_names == ("ant", "cat")


def test_labels_csv_with_real_numbers_gives_targets(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,label\na.png,0.5\n")
    label = open_dataset(DataSpec(str(tmp_path))).read(0).label
    assert isinstance(label, np.ndarray)
    assert float(label) == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header"),
        ("a.png,1\n", "header"),
        ("file,label\n", "no rows"),
        ("file,label\na.png\n", "line 2 has no label"),
        ("file,label\na.png,1\n,2\n", "line 3 has no file"),
        ("file,label\na.png,1\nmissing.png,2\n", "line 3 names the file 'missing.png'"),
        ("file,label\na.png,1\na.png,cat\n", "line 3 has the label 'cat'"),
        ("file,label\na.png,1\na.png,nan\n", "line 3 has the label 'nan'"),
        ("file,label\na.png,\xff\n", "cannot be read"),
    ],
)
def test_a_bad_labels_csv_is_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(DataSpec(str(tmp_path)))
    assert caught.value.fixes


@pytest.mark.parametrize("inner", ["", "images"])
def test_pictures_without_labels(tmp_path: Path, inner: str) -> None:
    picture(tmp_path / inner / "b.png")
    picture(tmp_path / inner / "a.png")
    assert [label for _, label in opened(tmp_path)] == [None, None]
    assert [Path(name).name for name, _ in opened(tmp_path)] == ["a.png", "b.png"]


@pytest.mark.parametrize("damage", ["empty", "truncated", "noise"])
def test_a_damaged_picture_is_named(tmp_path: Path, damage: str) -> None:
    path = picture(tmp_path / "bad.jpg", size=(64, 64))
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "noise": b"not a picture"}[damage])
    with pytest.raises(DataError, match=r"bad\.jpg") as caught:
        open_dataset(DataSpec(str(tmp_path))).read(0)
    assert caught.value.why
    assert caught.value.fixes


def test_sixteen_bit_pictures_are_refused_and_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match="more than 8 bits"):
        open_dataset(DataSpec(str(tmp_path))).read(0)


def test_missing_and_empty_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.txt").write_text("hello")
    picture(tmp_path / "one.png")
    for name, message in [
        ("nowhere", "no data set"),
        ("empty", "no pictures"),
        ("empty.npz", "empty"),
        ("text.txt", "no data set that"),
        ("one.png", "single picture"),
    ]:
        with pytest.raises(DataError, match=message) as caught:
            open_dataset(DataSpec(str(tmp_path / name)))
        assert caught.value.fixes


def test_a_limit_is_spread_evenly_and_shards_cover_it_once(tmp_path: Path) -> None:
    for index in range(10):
        picture(tmp_path / f"{index}.png")
    dataset = open_dataset(DataSpec(str(tmp_path), limit=4))
    assert [sample.name for _, sample in dataset.iterate()] == ["0.png", "2.png", "5.png", "7.png"]
    parts = [[position for position, _ in dataset.iterate(shard, 3)] for shard in range(3)]
    assert parts == [[0, 3], [1], [2]]
    with pytest.raises(UsageError):
        open_dataset(DataSpec(str(tmp_path), limit=0))


def test_the_label_offset_moves_labels_and_names(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.png")
    dataset = open_dataset(DataSpec(str(tmp_path), label_offset=1))
    assert dataset.read(0).label == 1
    assert dataset.class_names[1] == "cat"
    with pytest.raises(DataError, match="below zero"):
        open_dataset(DataSpec(str(tmp_path), label_offset=-1)).read(0)


def test_labels_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "a.png")
    (tmp_path / "empty.txt").write_text("\n")
    for name, message in [("nowhere.txt", "no labels file"), ("empty.txt", "is empty")]:
        with pytest.raises(DataError, match=message):
            open_dataset(DataSpec(str(tmp_path / "data"), labels=str(tmp_path / name)))


def test_a_data_set_split_into_parts_names_the_part_to_give(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "cat" / "a.png")
    picture(tmp_path / "val" / "cat" / "a.png")
    with pytest.raises(DataError, match="one level deeper") as caught:
        open_dataset(DataSpec(str(tmp_path)))
    assert caught.value.fixes[0].endswith("val")


def test_pictures_beside_class_folders_are_left_out_with_a_note(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.png")
    picture(tmp_path / "loose.png")
    dataset = open_dataset(DataSpec(str(tmp_path)))
    assert len(dataset) == 1
    assert "loose.png" in dataset.notes[0]
