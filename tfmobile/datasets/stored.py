"""Preprocessed samples, written once to a folder and read back at random access: what calibration works on.

Decoding and preprocessing cost more than most models; what looks at the samples several times reads them from here.
The order is that of the contents' digests, so nothing that follows depends on the order in which samples came.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from tfmobile.errors import ToolError
from tfmobile.graph.model import Array

INDEX, VALUES = "index.json", "values.bin"
ALIGNMENT = 64
"""Arrays begin at multiples of it, so that they can be read in place."""


@dataclass(frozen=True)
class Row:
    """One sample in the file: ``arrays`` are (input key, dtype, shape, first byte)."""

    name: str
    label: int | None
    digest: str
    arrays: tuple[tuple[str, str, tuple[int, ...], int], ...]


class StoredSamples:
    """Samples at random access, in the order of ``digests``; a context manager that removes a temporary folder.

    ``duplicates``: how many samples were left out because another one has exactly the same values.
    """

    def __init__(self, values: Array, rows: tuple[Row, ...], duplicates: int, temporary: Path | None = None) -> None:
        self._values, self._rows, self._temporary = values, rows, temporary
        self.duplicates = duplicates

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each sample; of equal ones, the first in alphabetical order."""
        return tuple(row.name for row in self._rows)

    @property
    def labels(self) -> tuple[int | None, ...]:
        """The class of each sample, None where it has none."""
        return tuple(row.label for row in self._rows)

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 over keys, types, shapes and values of each sample, as hexadecimal digits."""
        return tuple(row.digest for row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def feed(self, index: int) -> dict[str, Array]:
        """The arrays of one sample by input key, as they were given; they lie in the file and cannot be written to."""
        return {
            key: self._values[start : start + _size(kind, shape)].view(kind).reshape(shape)
            for key, kind, shape, start in self._rows[index].arrays
        }

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        """All samples in order, ``size`` at a time, joined along the first axis. Shapes within a batch must agree."""
        for start in range(0, len(self), size):
            feeds = [self.feed(index) for index in range(start, min(start + size, len(self)))]
            yield {key: np.concatenate([feed[key] for feed in feeds]) for key in feeds[0]}

    def subset(self, indices: Iterable[int]) -> StoredSamples:
        """These samples, in the order of ``indices``; valid as long as the whole is."""
        return StoredSamples(self._values, tuple(self._rows[index] for index in indices), 0)

    def __enter__(self) -> StoredSamples:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def store(samples: Iterable[tuple[str, int | None, Mapping[str, Array]]], folder: Path | None = None) -> StoredSamples:
    """Write (name, label, preprocessed arrays by input key) to ``folder``; without one, to a temporary folder.

    Samples are taken one at a time. A folder that is there is replaced once all are written; a run that ends earlier
    leaves it as it was. Raises ToolError when the folder cannot be written, and what ``samples`` raises.
    """
    with contextlib.ExitStack() as stack:
        with _folder_errors():
            made = _beside(folder) if folder else Path(tempfile.mkdtemp(prefix="tfmobile-samples-"))
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            stream = stack.enter_context((made / VALUES).open("wb"))
        rows, duplicates = _write(samples, stream)
        with _folder_errors():
            stream.close()
            index = {"duplicates": duplicates, "rows": [[r.name, r.label, r.digest, r.arrays] for r in rows]}
            (made / INDEX).write_text(json.dumps(index), encoding="utf-8")
            if folder:
                _publish(made, folder)
            stored = StoredSamples(_values(folder or made), tuple(rows), duplicates, None if folder else made)
        stack.pop_all()
        return stored


def open_stored(folder: Path) -> StoredSamples | None:
    """The samples that ``store`` wrote to ``folder``; None when they are not there, or not whole."""
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        rows = tuple(_row(*entry) for entry in index["rows"])
        values = _values(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    ends = [start + _size(kind, shape) for row in rows for _, kind, shape, start in row.arrays]
    return StoredSamples(values, rows, int(index["duplicates"])) if max(ends, default=0) <= len(values) else None


def split(stored: StoredSamples, held_back: float = 0.25) -> tuple[StoredSamples, StoredSamples]:
    """Samples to fit on, and others to judge by: the fraction ``held_back``, at least 8 where there are 16 or more.

    It is decided by the digest alone: the same samples give the same split, and one more sample moves few others.
    One sample is never held back from being fitted on.
    """
    count = round(len(stored) * held_back)
    if held_back > 0 and len(stored) >= 2:
        count = max(count, 8 if len(stored) >= 16 else 1)
    count = max(0, min(count, len(stored) - 1))
    # Hashed again, so that the held-back ones are not those that lie together in the stored order.
    draw = sorted(range(len(stored)), key=lambda index: _again(stored.digests[index]))
    held = sorted(draw[:count])
    return stored.subset(sorted(draw[count:])), stored.subset(held)


def digest(feed: Mapping[str, Array]) -> str:
    """SHA-256 over keys, types, shapes and values; the order of the keys does not matter."""
    hasher = hashlib.sha256()
    for key in sorted(feed):
        array = _plain(feed[key])
        hasher.update(json.dumps([key, array.dtype.str, array.shape]).encode())
        hasher.update(array.reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()


def _write(samples: Iterable[tuple[str, int | None, Mapping[str, Array]]], stream: IO[bytes]) -> tuple[list[Row], int]:
    """The rows by digest, and how many samples were equal to another."""
    rows: dict[str, Row] = {}
    seen = 0
    for name, label, feed in samples:
        seen += 1
        number = digest(feed)
        before = rows.get(number)
        if before is None:
            with _folder_errors():
                rows[number] = Row(name, label, number, _append(stream, feed))
        elif (name, str(label)) < (before.name, str(before.label)):
            rows[number] = Row(name, label, number, before.arrays)
    with _folder_errors():
        stream.write(b"\0" * ALIGNMENT)  # an empty file cannot be mapped into memory
    return [rows[number] for number in sorted(rows)], seen - len(rows)


def _append(stream: IO[bytes], feed: Mapping[str, Array]) -> tuple[tuple[str, str, tuple[int, ...], int], ...]:
    found = []
    for key, value in feed.items():
        array = _plain(value)
        stream.write(b"\0" * (-stream.tell() % ALIGNMENT))
        found.append((key, array.dtype.str, array.shape, stream.tell()))
        stream.write(array.reshape(-1).view(np.uint8).data)
    return tuple(found)


def _plain(value: Array) -> Array:
    """Contiguous; text, which Python objects may hold, as bytes of one length."""
    array = np.asarray(value)
    return np.ascontiguousarray(array.astype(np.bytes_) if array.dtype.kind in "OU" else array).reshape(array.shape)


def _beside(folder: Path) -> Path:
    made = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    made.mkdir(parents=True)
    return made


def _publish(made: Path, folder: Path) -> None:
    """Put the folder ``made`` in the place of ``folder``."""
    old = folder.with_name(f"{made.name}-old")
    if folder.exists():
        folder.replace(old)
    made.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def _values(folder: Path) -> Array:
    return np.asarray(np.memmap(folder / VALUES, np.uint8, "r"))


def _row(name: str, label: int | None, number: str, arrays: Sequence[tuple[str, str, Sequence[int], int]]) -> Row:
    return Row(name, label, number, tuple((key, kind, tuple(shape), start) for key, kind, shape, start in arrays))


def _size(kind: str, shape: tuple[int, ...]) -> int:
    return int(np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64)))


def _again(number: str) -> bytes:
    return hashlib.sha256(f"held back {number}".encode()).digest()


@contextlib.contextmanager
def _folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise ToolError(
            "The preprocessed samples cannot be stored.",
            why=str(cause),
            fixes=["Free space there, or point TMPDIR at a folder with room.", "Give fewer samples (--limit)."],
        ) from cause
