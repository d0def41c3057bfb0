"""``.npz`` and ``.npy`` files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmobile.datasets import DataSpec, open_dataset
from tfmobile.datasets.numpy_files import open_npy, open_npz
from tfmobile.errors import DataError

X = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)


def save(path: Path, *, packed: bool = True, **arrays: Any) -> str:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return str(path)


@pytest.mark.parametrize("packed", [True, False])
def test_x_and_y_are_the_default_keys(tmp_path: Path, packed: bool) -> None:
    dataset = open_dataset(DataSpec(save(tmp_path / "d.npz", packed=packed, x=X, y=np.arange(5), other=X)))
    assert len(dataset) == 5
    for position, sample in dataset.iterate():
        assert isinstance(sample.values, tuple)
        np.testing.assert_array_equal(sample.values[0], X[position])
        assert sample.label == position


def test_rows_are_read_in_any_order(tmp_path: Path) -> None:
    dataset = open_dataset(DataSpec(save(tmp_path / "d.npz", x=X)))
    for position in (3, 1, 4, 0):
        values = dataset.read(position).values
        assert isinstance(values, tuple)
        np.testing.assert_array_equal(values[0], X[position])


@pytest.mark.parametrize("packed", [True, False])
def test_fortran_order_is_read_right(tmp_path: Path, packed: bool) -> None:
    dataset = open_dataset(DataSpec(save(tmp_path / "d.npz", packed=packed, x=np.asfortranarray(X))))
    values = dataset.read(2).values
    assert isinstance(values, tuple)
    np.testing.assert_array_equal(values[0], X[2])


def test_an_npy_and_a_stored_npz_are_memory_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", X)
    assert isinstance(open_npy(DataSpec(str(tmp_path / "d.npy"))).inputs["x"], np.memmap)
    stored = open_npz(DataSpec(save(tmp_path / "d.npz", packed=False, x=X)))
    assert isinstance(stored.inputs["x"], np.memmap)
    np.testing.assert_array_equal(np.asarray(stored.inputs["x"]), X)
    packed = open_npz(DataSpec(save(tmp_path / "p.npz", x=X)))
    assert not isinstance(packed.inputs["x"], np.ndarray)


def test_the_only_array_needs_no_key(tmp_path: Path) -> None:
    dataset = open_dataset(DataSpec(save(tmp_path / "d.npz", pictures=X)))
    assert isinstance(dataset.read(0).values, tuple)


def test_several_arrays_of_equal_length_are_inputs_by_key(tmp_path: Path) -> None:
    dataset = open_dataset(DataSpec(save(tmp_path / "d.npz", left=X, right=X[:, 0], y=np.zeros(5, int))))
    values = dataset.read(1).values
    assert isinstance(values, dict)
    assert set(values) == {"left", "right"}


def test_chosen_keys(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x_test=X, y_test=np.arange(5), x_train=X[:3], y_train=np.arange(3))
    dataset = open_dataset(DataSpec(path, x_key="x_test", y_key="y_test"))
    assert dataset.read(4).label == 4
    assert len(open_dataset(DataSpec(path, x_key="x_test,y_test")).read(0).values) == 2


def test_one_hot_and_column_labels_become_classes(tmp_path: Path) -> None:
    one_hot = np.eye(7, dtype=np.float32)[[3, 1, 6, 0, 2]]
    dataset = open_dataset(DataSpec(save(tmp_path / "a.npz", x=X, y=one_hot)))
    assert [sample.label for _, sample in dataset.iterate()] == [3, 1, 6, 0, 2]
    assert "one-hot" in dataset.notes[0]
    column = open_dataset(DataSpec(save(tmp_path / "b.npz", x=X, y=np.arange(5)[:, None])))
    assert column.read(3).label == 3


def test_float_labels_are_targets_and_text_labels_are_classes(tmp_path: Path) -> None:
    target = open_dataset(DataSpec(save(tmp_path / "a.npz", x=X, y=np.linspace(0, 1, 5)))).read(1).label
    assert isinstance(target, np.ndarray)
    assert float(target) == 0.25
    named = open_dataset(DataSpec(save(tmp_path / "b.npz", x=X, y=np.array(["b", "a", "b", "c", "a"]))))
    assert [sample.label for _, sample in named.iterate()] == [1, 0, 1, 2, 0]
    assert named.class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"a": X, "b": X[:2]}, {}, "no array 'x'"),
        ({"x": X}, {"x_key": "images"}, "no array 'images'"),
        ({"x": X}, {"y_key": "classes"}, "no array 'classes'"),
        ({"x": X, "y": np.arange(4)}, {}, "5 samples but labels of shape"),
        ({"x": X, "y": np.array([0.0, 1, np.nan, 2, 3])}, {}, "Label 2"),
        ({"x": np.array(3.0)}, {}, "no samples"),
        ({"x": np.array(["a", "b"])}, {}, "no samples"),
        ({"x": X[:0]}, {}, "no samples"),
        ({"x": X, "z": X[:2]}, {"x_key": "x,z"}, "differ in length"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(DataSpec(save(tmp_path / "d.npz", **arrays), **options))
    assert caught.value.fixes


def test_the_error_for_a_wrong_key_lists_the_keys(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(DataSpec(save(tmp_path / "d.npz", a=X, b=X[:2])))
    assert "a [5, 3, 4]" in caught.value.why
    assert "--x-key" in caught.value.fixes[0]


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    objects = np.empty(2, object)
    np.save(tmp_path / "d.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "d.npz", x=objects)
    for name in ("d.npy", "d.npz"):
        with pytest.raises(DataError, match="Python objects"):
            open_dataset(DataSpec(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["d.npy", "d.npz"])
def test_cut_off_files_are_refused(tmp_path: Path, name: str) -> None:
    big = np.zeros((50, 100), np.float32)
    (np.save if name == "d.npy" else np.savez)(tmp_path / name, big)
    for share in (0.02, 0.5, 0.99):
        cut = tmp_path / f"{share}-{name}"
        data = (tmp_path / name).read_bytes()
        cut.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(DataError) as caught:
            open_dataset(DataSpec(str(cut)))
        assert caught.value.fixes


def test_random_bytes_under_a_numpy_name_are_refused(tmp_path: Path) -> None:
    for name in ("d.npy", "d.npz"):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(300))
        with pytest.raises(DataError):
            open_dataset(DataSpec(str(tmp_path / name)))


def test_damage_inside_a_compressed_array_is_found_when_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 1000), dtype=np.uint8)
    path = Path(save(tmp_path / "d.npz", x=noise))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    dataset = open_dataset(DataSpec(str(path)))
    with pytest.raises(DataError, match="cannot be read"):
        for _ in dataset.iterate():
            pass


def test_a_zip_of_other_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match="no readable numpy array"):
        open_dataset(DataSpec(str(tmp_path / "d.npz")))
