"""``.npz`` and ``.npy`` files: the rows of an array are the samples."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets.labels import is_one_hot, label_of, number_classes, read_class_names
from tfmobile.datasets.npy_rows import DeflatedRows, map_npy, open_member, read_header
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError
from tfmobile.graph.model import Array

Rows = Array | DeflatedRows


@dataclass(frozen=True)
class ArraySource:
    """A Source: row ``i`` of every input array is sample ``i``. ``inputs`` keeps a single array or several by key."""

    name: str
    inputs: Mapping[str, Rows]
    by_key: bool
    labels: Array | None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    concurrent: bool = True

    def __len__(self) -> int:
        return next(iter(self.inputs.values())).shape[0]

    def read(self, index: int) -> Sample:
        """Row ``index``, copied out of the file; raises DataError if the file is damaged there."""
        name = f"{self.name}[{index}]"
        try:
            values = {key: np.array(rows[index]) for key, rows in self.inputs.items()}
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as cause:
            raise DataError(
                f"'{name}' cannot be read.",
                why=f"The file is damaged: {cause}.",
                fixes=["Copy or save the file again."],
            ) from cause
        label = None if self.labels is None else label_of(self.labels[index], self.class_names, f"'{name}'")
        return Sample(name=name, values=values if self.by_key else tuple(values.values()), label=label)


def open_npy(spec: DataSpec) -> ArraySource:
    """A single array, without labels."""
    path = Path(spec.path)
    with path.open("rb") as stream:
        header = read_header(stream, f"'{path}'")
    rows = map_npy(path, header)
    _check_inputs(spec, {"x": rows})
    return ArraySource(path.name, {"x": rows}, False, None, read_class_names(spec.labels))


def open_npz(spec: DataSpec) -> ArraySource:
    """Arrays by key: x and y by default; else the only array; else all of equal length, by the model's input keys."""
    path = Path(spec.path)
    try:
        archive = zipfile.ZipFile(path)
        members = {item.filename.removesuffix(".npy"): item for item in archive.infolist()}
        arrays = {key: open_member(path, archive, item) for key, item in members.items()}
    except DataError:
        raise
    except Exception as cause:  # zipfile raises BadZipFile, NotImplementedError, RuntimeError, struct.error, …
        raise DataError(
            f"'{path}' is no readable .npz file.", why=str(cause), fixes=["Copy it again, or save it with numpy.savez."]
        ) from cause
    keys, by_key = _input_keys(spec, arrays)
    inputs = {key: arrays[key] for key in keys}
    _check_inputs(spec, inputs)
    labels, names, notes = _labels(spec, arrays, len(next(iter(inputs.values())).shape) and _length(inputs))
    return ArraySource(path.name, inputs, by_key, labels, names, notes)


def _length(inputs: Mapping[str, Rows]) -> int:
    return next(iter(inputs.values())).shape[0]


def _input_keys(spec: DataSpec, arrays: Mapping[str, Rows]) -> tuple[list[str], bool]:
    """The keys of the input arrays, and whether they are to be matched with the model's inputs by key."""
    asked = [key.strip() for key in spec.x_key.split(",")]
    if all(key in arrays for key in asked):
        return asked, False
    rest = [key for key in arrays if key != spec.y_key]
    lengths = {arrays[key].shape[:1] for key in rest}
    if spec.x_key != "x" or not rest or len(lengths) > 1:
        raise _no_key(spec, "x", arrays)
    return rest, len(rest) > 1


def _no_key(spec: DataSpec, which: str, arrays: Mapping[str, Rows]) -> DataError:
    found = ", ".join(f"{key} {list(rows.shape)}" for key, rows in arrays.items()) or "no array at all"
    key = spec.x_key if which == "x" else spec.y_key
    return DataError(
        f"'{spec.path}' has no array '{key}'.",
        why=f"It holds: {found}.",
        fixes=[f"Name the array with --{which}-key KEY.", f"Save it under the key {which}."],
    )


def _check_inputs(spec: DataSpec, inputs: Mapping[str, Rows]) -> None:
    for key, rows in inputs.items():
        if len(rows.shape) == 0 or rows.dtype.kind in "US":
            raise DataError(
                f"The array '{key}' of '{spec.path}' holds no samples: shape {list(rows.shape)}, type {rows.dtype}.",
                fixes=["Save numbers with the samples along the first axis."],
            )
    if len({rows.shape[0] for rows in inputs.values()}) > 1:
        sizes = ", ".join(f"{key}: {rows.shape[0]}" for key, rows in inputs.items())
        raise DataError(
            f"The input arrays of '{spec.path}' differ in length.", why=sizes, fixes=["Save one row a sample in each."]
        )


def _labels(
    spec: DataSpec, arrays: Mapping[str, Rows], length: int
) -> tuple[Array | None, tuple[str, ...], tuple[str, ...]]:
    """The whole label array (class numbers where it is one-hot or text), class names, notes."""
    names = read_class_names(spec.labels)
    if spec.y_key not in arrays:
        if spec.y_key != "y":
            raise _no_key(spec, "y", arrays)
        return None, names, ()
    labels = _whole(arrays[spec.y_key])
    if labels.shape[:1] != (length,):
        raise DataError(
            f"'{spec.path}' has {length} samples but labels of shape {list(labels.shape)}.",
            fixes=["Save one label a sample."],
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind in "US":
        texts = [item.decode() if isinstance(item, bytes) else str(item) for item in labels.reshape(length, -1)[:, 0]]
        return labels, number_classes(texts, names, f"'{spec.path}'"), ()
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        row = int(np.flatnonzero(~np.isfinite(labels.reshape(length, -1)).all(axis=1))[0])
        raise DataError(f"Label {row} of '{spec.path}' is NaN or infinite.", fixes=["Correct or remove that sample."])
    if is_one_hot(labels):
        return labels.argmax(axis=1), names, ("The labels are one-hot rows: the place of the 1 is the class.",)
    return labels if labels.ndim == 1 or labels.dtype.kind == "f" else labels.astype(np.float64), names, ()


def _whole(rows: Rows) -> Array:
    """All labels in memory: they are small."""
    if isinstance(rows, DeflatedRows):
        with rows.archive.open(rows.member) as stream:
            stream.seek(rows.header.offset)
            return np.frombuffer(stream.read(), rows.dtype).reshape(rows.shape)
    return np.array(rows)
