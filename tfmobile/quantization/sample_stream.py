"""Samples through a pipe: a line of JSON that names the arrays, then their bytes. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np

from tfmobile.graph.model import Array


def write_sample(stream: IO[bytes], name: str, feed: Mapping[str, Array]) -> None:
    """Send one sample."""
    arrays = {key: _plain(np.asarray(value)) for key, value in feed.items()}
    head = {"name": name, "arrays": [[key, a.dtype.str, list(a.shape)] for key, a in arrays.items()]}
    stream.write(json.dumps(head).encode() + b"\n")
    for array in arrays.values():
        stream.write(array.reshape(-1).view(np.uint8).data)


def write_question(stream: IO[bytes]) -> None:
    """Ask for the ranges so far."""
    stream.write(b"{}\n")
    stream.flush()


def read_samples(stream: IO[bytes]) -> Iterator[tuple[str, dict[str, Array]] | None]:
    """The samples sent, and None for every question, until the stream ends."""
    while line := stream.readline():
        head = json.loads(line)
        if not head:
            yield None
            continue
        yield head["name"], {key: _read(stream, kind, shape) for key, kind, shape in head["arrays"]}


def _plain(array: Array) -> Array:
    return np.ascontiguousarray(array.astype(np.bytes_) if array.dtype.kind in "OU" else array).reshape(array.shape)


def _read(stream: IO[bytes], kind: str, shape: list[int]) -> Array:
    dtype = np.dtype(kind)
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(stream.read(size), dtype).reshape(shape)
