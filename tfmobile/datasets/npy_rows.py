"""One array of an .npy or .npz file, read a row at a time.

Memory-mapped where it is stored plainly, inflated as a stream where it is compressed. Pickles are never opened.
"""

from __future__ import annotations

import math
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfmobile.errors import DataError
from tfmobile.graph.model import Array

_LOCAL_HEADER = struct.Struct("<4s22xHH")


@dataclass(frozen=True)
class Header:
    """What an .npy header says; ``offset`` is where the values begin."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int


def read_header(stream: IO[bytes], name: str) -> Header:
    """Header at the stream's position. Raises DataError for damage, pickles, and types other than numbers and text."""
    start = stream.tell()
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
    except Exception as cause:  # numpy passes on what its parser meets: SyntaxError, TokenError, UnicodeDecodeError, …
        raise DataError(
            f"{name} is no readable numpy array.",
            why=str(cause),
            fixes=["Save it again with numpy.save or numpy.savez."],
        ) from cause
    if dtype.hasobject:
        raise DataError(
            f"{name} holds Python objects.",
            why="Opening pickled objects can run any code, so it is never done.",
            fixes=["Save it as one numeric array: numpy.save(file, numpy.stack(list))."],
        )
    if dtype.kind not in "biufUS":
        raise DataError(f"{name} is of type {dtype}.", fixes=["Save it as an array of integers or floats."])
    return Header(shape, fortran_order, dtype, stream.tell() - start)


def map_npy(path: Path, header: Header, *, skip: int = 0) -> Array:
    """The array as a read-only memory map; ``skip`` bytes come before its header. Raises DataError if it is cut off."""
    order = "F" if header.fortran_order else "C"
    if 0 in header.shape:
        return np.empty(header.shape, header.dtype)
    try:
        return np.memmap(path, header.dtype, "r", skip + header.offset, header.shape, order)  # type: ignore[call-overload, no-any-return]
    except (ValueError, OverflowError, OSError) as cause:
        raise DataError(
            f"'{path}' is cut off or unreadable.",
            why=f"Its header promises an array {list(header.shape)} of {header.dtype}; {cause}.",
            fixes=["Copy or save the file again."],
        ) from cause


@dataclass
class DeflatedRows:
    """Rows of a compressed .npz member, in ascending order without holding it; going back starts over."""

    archive: zipfile.ZipFile
    member: str
    header: Header
    _stream: IO[bytes] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the whole array."""
        return self.header.dtype

    def __getitem__(self, index: int) -> Array:
        row = self.header.shape[1:]
        size = math.prod(row) * self.header.dtype.itemsize
        start = self.header.offset + index * size
        if self._stream is None or self._stream.tell() > start:
            self._stream = self.archive.open(self.member)
        self._stream.seek(start)
        data = self._stream.read(size)
        if len(data) != size:
            raise zipfile.BadZipFile("the array ends early")
        return np.frombuffer(data, self.header.dtype).reshape(row)


def open_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array | DeflatedRows:
    """The array of one .npz member: a memory map if stored plainly, else a stream of rows."""
    with archive.open(member) as stream:
        header = read_header(stream, f"The array '{member.filename.removesuffix('.npy')}' of '{path}'")
        if member.compress_type != zipfile.ZIP_STORED and header.fortran_order and len(header.shape) > 1:
            values = np.frombuffer(stream.read(), header.dtype)
            return values.reshape(header.shape, order="F")
    if member.compress_type != zipfile.ZIP_STORED:
        return DeflatedRows(archive, member.filename, header)
    with path.open("rb") as file:
        file.seek(member.header_offset)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return map_npy(path, header, skip=member.header_offset + _LOCAL_HEADER.size + name_length + extra_length)
