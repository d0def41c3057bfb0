"""Protobuf's wire format, read without a schema: enough to say what a binary file is before any library opens it.

Specification: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Buffer: TypeAlias = "bytes | memoryview"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are no protobuf message, or end in the middle of one. ``truncated`` tells the two apart."""

    def __init__(self, text: str, *, truncated: bool = False) -> None:
        super().__init__(text)
        self.truncated = truncated


class Field(NamedTuple):
    """One field: its number, wire type, the value of a varint, and the range of its payload in the buffer."""

    number: int
    kind: int
    value: int
    start: int
    end: int


def fields(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message in ``data[start:end]``, in order; raises WireError."""
    stop = len(data) if end is None else end
    at = start
    while at < stop:
        key, at = varint(data, at, stop)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("field number 0")
        value = 0
        if kind == VARINT:
            begin = at
            value, at = varint(data, at, stop)
        else:
            length, at = _length(data, kind, at, stop)
            begin, at = at, at + length
        if at > stop:
            raise WireError("ends inside a field", truncated=True)
        yield Field(number, kind, value, begin, at)


def _length(data: Buffer, kind: int, at: int, stop: int) -> tuple[int, int]:
    if kind == BYTES:
        return varint(data, at, stop)
    if kind in (FIXED64, FIXED32):
        return (8 if kind == FIXED64 else 4), at
    raise WireError(f"wire type {kind}")


def varint(data: Buffer, at: int, stop: int) -> tuple[int, int]:
    """The base-128 number at ``at`` and the position behind it."""
    value = shift = 0
    while at < stop:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise WireError("number too long")
    raise WireError("ends inside a number", truncated=True)
