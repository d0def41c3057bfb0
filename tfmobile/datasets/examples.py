"""``tf.train.Example`` from its bytes, without TensorFlow: the few wire types of protocol buffers that it uses.

The messages are Example{1: Features}, Features{1: map<string, Feature>}, Feature{1: BytesList | 2: FloatList |
3: Int64List}, each list {1: repeated value}, numbers packed or not
(https://protobuf.dev/programming-guides/encoding, tensorflow/core/example/feature.proto).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfmobile.graph.model import Array

Feature = list[bytes] | Array


class WireError(ValueError):
    """The bytes are no such message."""


def parse_example(data: bytes) -> dict[str, Feature]:
    """Feature name → list of bytes, float32 [n] or int64 [n]. Raises WireError for bytes that are no Example."""
    features: dict[str, Feature] = {}
    for number, group in _fields(data):
        if number != 1 or not isinstance(group, bytes):
            continue
        for entry_number, entry in _fields(group):
            if entry_number == 1 and isinstance(entry, bytes):
                parts = dict(_fields(entry))
                key, value = parts.get(1, b""), parts.get(2, b"")
                features[_bytes(key).decode("utf-8", "replace")] = _feature(_bytes(value))
    return features


def _feature(data: bytes) -> Feature:
    for number, content in _fields(data):
        if number == 1:
            return [_bytes(value) for field, value in _fields(_bytes(content)) if field == 1]
        if number == 2:
            return _floats(_bytes(content))
        if number == 3:
            return _integers(_bytes(content))
    return np.empty(0, np.float32)


def _floats(data: bytes) -> Array:
    chunks = [_bytes(value) for field, value in _fields(data) if field == 1]
    joined = b"".join(chunks)
    if len(joined) % 4:
        raise WireError("a float list is cut off")
    return np.frombuffer(joined, "<f4").astype(np.float32)


def _integers(data: bytes) -> Array:
    values: list[int] = []
    for field, value in _fields(data):
        if field == 1 and isinstance(value, int):
            values.append(value)
        elif field == 1:
            values.extend(_packed(_bytes(value)))
    return np.array(values, np.uint64).astype(np.int64)


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(field number, value) of a message: an int for varints, bytes for everything else."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireError("field number 0")
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise WireError(f"wire type {wire}")
        if at + size > end:
            raise WireError("a field is longer than its message")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise WireError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise WireError("a number is too long")


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes belong")
    return value
