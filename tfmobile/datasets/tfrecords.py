"""TFRecord files of ``tf.train.Example``, read without TensorFlow.

Framing of a record: length (uint64), masked CRC-32C of the length, the bytes, masked CRC-32C of the bytes
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The CRC of the length is checked, so a cut or damaged file is
found on opening; that of the bytes is not (it is slow in Python), a damaged picture fails on decoding.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets.examples import Feature, WireError, parse_example
from tfmobile.datasets.labels import label_of, read_class_names
from tfmobile.datasets.pictures import decode_picture
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError
from tfmobile.graph.model import Array

X_KEYS = ("image/encoded", "image", "image_raw", "x")
Y_KEYS = ("image/class/label", "label", "y")
_POLYNOMIAL = 0x82F63B78


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord framing: CRC-32C (Castagnoli), rotated right by 15 and offset."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def starts_like_tfrecord(head: bytes) -> bool:
    """Whether the first 12 bytes are a record length and its checksum."""
    return len(head) >= 12 and struct.unpack("<I", head[8:12])[0] == masked_crc32c(head[:8])


@dataclass(frozen=True)
class ExampleSource:
    """A Source: record ``i`` of the files is sample ``i``."""

    records: tuple[tuple[Path, int, int], ...]
    """File, offset of the bytes, their length."""
    spec: DataSpec
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    concurrent: bool = True

    def __len__(self) -> int:
        return len(self.records)

    def read(self, index: int) -> Sample:
        """The Example's input and label; raises DataError naming the record."""
        path, offset, length = self.records[index]
        name = f"{path.name}[{index}]"
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(length)
        try:
            features = parse_example(data)
        except WireError as cause:
            raise DataError(
                f"The record '{name}' is no tf.train.Example.",
                why=str(cause),
                fixes=["Write the file with tf.train.Example(...).SerializeToString(), or give an .npz file."],
            ) from cause
        keys = _input_keys(features, self.spec, name)
        values = tuple(_values(features, key, name) for key in keys)
        return Sample(name, values, _label(features, self.spec, self.class_names, name))


def open_tfrecord(spec: DataSpec) -> ExampleSource:
    """One TFRecord file, or a folder of them in order of their names."""
    root = Path(spec.path)
    paths = tfrecords_in(root) if root.is_dir() else [root]
    records = tuple(record for path in paths for record in _records(path))
    return ExampleSource(records, spec, read_class_names(spec.labels))


def tfrecords_in(folder: Path) -> list[Path]:
    """The files of a folder that are named like TFRecords (*.tfrecord, *.tfrecords, name-00000-of-00010)."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in (".tfrecord", ".tfrecords") or path.match("*-[0-9]*-of-[0-9]*")
    )


def _records(path: Path) -> Iterator[tuple[Path, int, int]]:
    total = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(2) == b"\x1f\x8b":
            raise DataError(
                f"'{path}' is compressed.", fixes=[f"Decompress it first: gunzip -c {path} > data.tfrecord"]
            )
        at = 0
        while at < total:
            stream.seek(at)
            head = stream.read(12)
            if not starts_like_tfrecord(head):
                raise _damaged(
                    path, at, "the checksum of the record's length is wrong" if len(head) == 12 else "it ends"
                )
            length = struct.unpack("<Q", head[:8])[0]
            if at + 16 + length > total:
                raise _damaged(path, at, f"the record should have {length} bytes, the file ends before")
            yield path, at + 12, length
            at += 16 + length


def _damaged(path: Path, at: int, why: str) -> DataError:
    return DataError(
        f"'{path}' is damaged or cut off.",
        why=f"At byte {at}: {why}.",
        fixes=["Copy or write the file again.", "Check that it is a TFRecord file."],
    )


def _input_keys(features: dict[str, Feature], spec: DataSpec, name: str) -> list[str]:
    asked = [key.strip() for key in spec.x_key.split(",")]
    if spec.x_key == "x":
        asked = [key for key in X_KEYS if key in features][:1]
    if not asked or not all(key in features for key in asked):
        raise _no_feature(name, "x", features)
    return asked


def _no_feature(name: str, which: str, features: dict[str, Feature]) -> DataError:
    return DataError(
        f"The record '{name}' has no feature for {'the input' if which == 'x' else 'the label'}.",
        why=f"Its features are: {', '.join(sorted(features)) or 'none'}.",
        fixes=[f"Name the feature with --{which}-key KEY."],
    )


def _label(features: dict[str, Feature], spec: DataSpec, names: tuple[str, ...], name: str) -> int | Array | None:
    key = spec.y_key if spec.y_key != "y" else next((key for key in Y_KEYS if key in features), None)
    if key is None:
        return None
    if key not in features:
        raise _no_feature(name, "y", features)
    value = features[key]
    if len(value) == 0:
        raise DataError(f"The feature '{key}' of '{name}' is empty.", fixes=["Write one label into every Example."])
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value[0]
    return label_of(value, names, f"'{name}'")


def _values(features: dict[str, Feature], key: str, name: str) -> Array:
    value = features[key]
    shape = _declared_shape(features)
    if isinstance(value, list):
        if len(value) != 1:
            raise DataError(
                f"The feature '{key}' of '{name}' holds {len(value)} byte strings.",
                fixes=["Store one picture a record."],
            )
        if shape and math.prod(shape) == len(value[0]):
            return np.frombuffer(value[0], np.uint8).reshape(shape)
        return decode_picture(value[0], f"{name} {key}")
    return value.reshape(shape) if shape and math.prod(shape) == value.size else value


def _declared_shape(features: dict[str, Feature]) -> tuple[int, ...]:
    """height × width × channels as the usual neighbouring features state them, else ()."""
    for prefix in ("image/", ""):
        found = [features.get(prefix + part) for part in ("height", "width", "channels")]
        if all(isinstance(part, np.ndarray) and part.size == 1 for part in found):
            return tuple(int(part[0]) for part in found if isinstance(part, np.ndarray))
    shape = features.get("shape")
    return tuple(int(size) for size in shape) if isinstance(shape, np.ndarray) else ()
