"""Which kind of data set lies at a path, by what is there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tfmobile.datasets.picture_folders import class_folders_of, no_pictures
from tfmobile.datasets.pictures import is_picture, pictures_in
from tfmobile.datasets.python_source import is_reference
from tfmobile.datasets.source import Source
from tfmobile.datasets.spec import DataSpec
from tfmobile.datasets.subset import START
from tfmobile.datasets.tfrecords import starts_like_tfrecord, tfrecords_in
from tfmobile.errors import DataError


@dataclass(frozen=True)
class SourceKind:
    """A row of SOURCES: ``matches(path, first bytes)`` (no bytes for a folder); ``opener`` is ``module:function``."""

    summary: str
    matches: Callable[[Path, bytes | None], bool]
    opener: str

    def open(self, spec: DataSpec) -> Source:
        """Open ``spec.path`` as this kind."""
        module, _, function = self.opener.partition(":")
        source: Source = getattr(importlib.import_module(f"tfmobile.datasets.{module}"), function)(spec)
        return source


def _labels_csv(path: Path, head: bytes | None) -> bool:
    return (path / "labels.csv").is_file() if head is None else path.suffix.lower() == ".csv"


def _class_folders(path: Path, head: bytes | None) -> bool:
    return head is None and any(pictures_in(folder) for folder in class_folders_of(path))


def _pictures(path: Path, head: bytes | None) -> bool:
    inner = path / "images"
    return head is None and bool(pictures_in(path) or (inner.is_dir() and pictures_in(inner)))


def _npz(path: Path, head: bytes | None) -> bool:
    return head is not None and (head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or path.suffix.lower() == ".npz")


def _npy(path: Path, head: bytes | None) -> bool:
    return head is not None and (head.startswith(b"\x93NUMPY") or path.suffix.lower() == ".npy")


def _tfrecord(path: Path, head: bytes | None) -> bool:
    if head is None:
        return bool(tfrecords_in(path))
    return starts_like_tfrecord(head) or path.suffix in (".tfrecord", ".tfrecords")


def _subset(path: Path, head: bytes | None) -> bool:
    return head is not None and head.startswith(START)


def _python(path: Path, head: bytes | None) -> bool:
    return False  # recognised by its spelling, before a path is looked for


SOURCES: dict[str, SourceKind] = {
    "labels-csv": SourceKind("a folder with labels.csv (file,label)", _labels_csv, "picture_folders:open_labels_csv"),
    "class-folders": SourceKind(
        "a folder with one sub-folder of pictures a class", _class_folders, "picture_folders:open_class_folders"
    ),
    "tfrecord": SourceKind(
        "a TFRecord file of tf.train.Example, or a folder of them", _tfrecord, "tfrecords:open_tfrecord"
    ),
    "pictures": SourceKind("a folder of pictures without labels", _pictures, "picture_folders:open_pictures"),
    "npz": SourceKind("an .npz file with the arrays x and y", _npz, "numpy_files:open_npz"),
    "npy": SourceKind("an .npy file of samples without labels", _npy, "numpy_files:open_npy"),
    "subset": SourceKind("a list of samples of another set, as a search writes it", _subset, "subset:open_subset"),
    "python": SourceKind(
        "module:callable, a Python function that returns samples", _python, "python_source:open_python"
    ),
}
"""In the order in which they are tried."""


def recognise(path: str) -> SourceKind:
    """The kind of data set at ``path``; raises DataError when there is none."""
    where = Path(path)
    if not where.exists():
        if is_reference(path):
            return SOURCES["python"]
        raise DataError(f"There is no data set '{path}'.", fixes=["Check the path given with --data.", *_kinds()])
    head = None
    if not where.is_dir():
        head = _head(where)
        if not head:
            raise DataError(f"The data file '{path}' is empty.", fixes=["Copy or save it again."])
    for kind in SOURCES.values():
        if _matches(kind, where, head):
            return kind
    if head is None:
        raise no_pictures(path)
    raise _unknown(where, head)


def _matches(kind: SourceKind, path: Path, head: bytes | None) -> bool:
    try:
        return kind.matches(path, head)
    except OSError as cause:
        raise DataError(f"'{path}' cannot be read.", why=str(cause), fixes=["Check its permissions."]) from cause


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(16)
    except OSError as cause:
        raise DataError(f"'{path}' cannot be read.", why=str(cause), fixes=["Check its permissions."]) from cause


def _unknown(path: Path, head: bytes) -> DataError:
    if is_picture(path):
        return DataError(f"'{path}' is a single picture.", fixes=[f"Give the folder that holds it: {path.parent}"])
    return DataError(
        f"'{path}' is no data set that tfmobile can read.", why=f"The file starts with {head[:8]!r}.", fixes=_kinds()
    )


def _kinds() -> list[str]:
    return ["Give " + "; ".join(kind.summary for kind in SOURCES.values()) + "."]
