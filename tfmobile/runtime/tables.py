"""Flatbuffers by a schema that is data: read to dictionaries with every offset checked, written deterministically.

A schema maps a table's name to its fields in slot order, each (name, kind). A kind is a scalar (``int8`` …
``float32``), ``string``, the name of a table, ``[kind]`` for a vector, or ``union:NAME`` (two slots, the first holding
the type). A field without a name is a slot that is not read. https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Fields = Sequence[tuple[str, str]]
Schema = Mapping[str, Fields]
Unions = Mapping[str, Sequence[str]]

_SCALARS = {
    "bool": "?", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
    "uint64": "Q", "float32": "f",
}  # fmt: skip


class Damaged(Exception):
    """The bytes are no flatbuffer of this schema; the text says where they stop making sense."""


def decode(content: bytes, schema: Schema, root: str, unions: Unions | None = None) -> dict[str, Any]:
    """The root table as nested dictionaries; absent fields are left out, scalar vectors are numpy arrays.

    A union reads as ``{"type": table name, **fields}``. Raises Damaged.
    """
    reader = _Reader(content, schema, unions or {})
    return reader.table(root, reader.follow(0))


class _Reader:
    def __init__(self, content: bytes, schema: Schema, unions: Unions) -> None:
        self.content, self.schema, self.unions = content, schema, unions
        # Offsets may point backwards, so a hostile file could name one table without end.
        self.left = len(content) // 4 + 16

    def scalar(self, kind: str, position: int) -> Any:
        code = _SCALARS[kind]
        if not 0 <= position <= len(self.content) - struct.calcsize(f"<{code}"):
            raise Damaged(f"offset {position} lies outside of the {len(self.content)} bytes")
        return struct.unpack_from(f"<{code}", self.content, position)[0]

    def follow(self, position: int) -> int:
        return position + int(self.scalar("uint32", position))

    def table(self, name: str, position: int) -> dict[str, Any]:
        self.left -= 1
        if self.left < 0:
            raise Damaged("it holds more tables than fit into its bytes")
        vtable = position - int(self.scalar("int32", position))
        slots = (int(self.scalar("uint16", vtable)) - 4) // 2
        found: dict[str, Any] = {}
        slot = 0
        for field, kind in self.schema[name]:
            places = [self._place(vtable, slots, position, slot + extra) for extra in (0, 1)]
            slot += 2 if kind.startswith("union:") else 1
            if not field or places[0] is None:
                continue
            if kind.startswith("union:"):
                found.update(self._union(field, kind[6:], places))
            else:
                found[field] = self.value(kind, places[0])
        return found

    def _place(self, vtable: int, slots: int, position: int, slot: int) -> int | None:
        offset = int(self.scalar("uint16", vtable + 4 + 2 * slot)) if slot < slots else 0
        return position + offset if offset else None

    def _union(self, field: str, name: str, places: Sequence[int | None]) -> dict[str, Any]:
        kinds, (kind, place) = self.unions[name], places
        number = int(self.scalar("uint8", kind)) if kind is not None else 0
        if place is None or not 0 < number < len(kinds):
            return {}
        return {field: {"type": kinds[number], **self.table(kinds[number], self.follow(place))}}

    def value(self, kind: str, position: int) -> Any:
        if kind in _SCALARS:
            return self.scalar(kind, position)
        start = self.follow(position)
        if kind == "string":
            return bytes(self._bytes(start, 1)).decode("utf-8", "replace")
        if not kind.startswith("["):
            return self.table(kind, start)
        item = kind[1:-1]
        if item in _SCALARS:
            dtype = np.dtype(item).newbyteorder("<")
            return np.frombuffer(self._bytes(start, dtype.itemsize), dtype)
        count = len(self._bytes(start, 4)) // 4
        return [self.value(item, start + 4 + 4 * index) for index in range(count)]

    def _bytes(self, start: int, width: int) -> memoryview:
        size = int(self.scalar("uint32", start)) * width
        if start + 4 + size > len(self.content):
            raise Damaged(f"a vector of {size} bytes at {start} passes the end of the {len(self.content)} bytes")
        return memoryview(self.content)[start + 4 : start + 4 + size]


def encode(
    values: Mapping[str, Any], schema: Schema, root: str, identifier: bytes, unions: Unions | None = None
) -> bytes:
    """The flatbuffer of nested dictionaries as ``decode`` gives them; deterministic."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    writer = _Writer(builder, schema, unions or {})
    builder.Finish(writer.table(root, values), file_identifier=identifier)
    return bytes(builder.Output())


class _Writer:
    def __init__(self, builder: Any, schema: Schema, unions: Unions) -> None:
        self.builder, self.schema, self.unions = builder, schema, unions

    def table(self, name: str, values: Mapping[str, Any]) -> int:
        """Write the table's children, then the table; its offset."""
        slots: list[tuple[str, Any] | None] = []
        for field, kind in self.schema[name]:
            given = values.get(field) if field else None
            if kind.startswith("union:"):
                slots += self._union(kind[6:], given)
            else:
                slots.append(None if given is None else (kind, self._prepared(kind, given)))
        self.builder.StartObject(len(slots))
        for slot, entry in enumerate(slots):
            if entry is not None:
                self._put(slot, *entry)
        return int(self.builder.EndObject())

    def _union(self, name: str, given: Mapping[str, Any] | None) -> list[tuple[str, Any] | None]:
        if given is None:
            return [None, None]
        kind = given["type"]
        return [("uint8", self.unions[name].index(kind)), (kind, self.table(kind, given))]

    def _prepared(self, kind: str, given: Any) -> Any:
        if kind in _SCALARS:
            return given
        if kind == "string":
            return self.builder.CreateString(given)
        if not kind.startswith("["):
            return self.table(kind, given)
        item = kind[1:-1]
        if item in _SCALARS:
            return self.builder.CreateNumpyVector(np.asarray(given, np.dtype(item).newbyteorder("<")))
        offsets = [self._prepared(item, one) for one in given]
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def _put(self, slot: int, kind: str, value: Any) -> None:
        if kind in _SCALARS:
            getattr(self.builder, f"Prepend{kind.capitalize()}Slot")(slot, value, 0)
        else:
            self.builder.PrependUOffsetTRelativeSlot(slot, value, 0)
