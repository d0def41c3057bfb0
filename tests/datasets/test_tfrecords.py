"""TFRecord files, written by TensorFlow and read without it."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfmobile.datasets import DataSpec, open_dataset
from tfmobile.datasets.examples import WireError, parse_example
from tfmobile.datasets.tfrecords import masked_crc32c
from tfmobile.errors import DataError


def frame(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def example(**features: Any) -> bytes:
    """A serialized Example: bytes, lists of int, or lists of float by feature name (``__`` stands for ``/``)."""
    entries = b""
    for key, value in features.items():
        if isinstance(value, bytes):
            feature = field(1, field(1, value))
        elif all(isinstance(item, int) for item in value):
            feature = field(3, field(1, b"".join(map(varint, value))))
        else:
            feature = field(2, field(1, np.array(value, "<f4").tobytes()))
        entries += field(1, field(1, key.replace("__", "/").encode()) + field(2, feature))
    return field(1, entries)


def png(value: int = 9) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, *examples: bytes) -> str:
    path.write_bytes(b"".join(map(frame, examples)))
    return str(path)


def test_a_file_written_by_tensorflow_is_read_alike(tmp_path: Path) -> None:
    import tensorflow as tf

    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[png()])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[7])),
        "floats": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, -1e9])),
        "negative": tf.train.Feature(int64_list=tf.train.Int64List(value=[-3, 2**40])),
    }
    data = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "d.tfrecord")) as writer:
        writer.write(data)
    assert (tmp_path / "d.tfrecord").read_bytes() == frame(data)
    parsed = parse_example(data)
    assert parsed["image/encoded"] == [png()]
    np.testing.assert_array_equal(parsed["floats"], np.array([0.5, -1e9], np.float32))
    np.testing.assert_array_equal(parsed["negative"], [-3, 2**40])
    sample = open_dataset(DataSpec(str(tmp_path / "d.tfrecord"))).read(0)
    assert sample.label == 7


def test_reading_needs_no_tensorflow(tmp_path: Path) -> None:
    path = write(tmp_path / "d.tfrecord", example(image=png(), label=[1]))
    code = (
        "import sys; from tfmobile.datasets import DataSpec, open_dataset; "
        f"assert open_dataset(DataSpec({path!r})).read(0).label == 1; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pictures_and_labels_by_their_usual_keys(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.tfrecord",
        example(image__encoded=png(1), image__class__label=[5]),
        example(image=png(2), label=[6]),
    )
    dataset = open_dataset(DataSpec(path))
    assert [sample.label for _, sample in dataset.iterate()] == [5, 6]
    values = dataset.read(1).values
    assert isinstance(values, tuple)
    assert values[0].shape == (4, 6, 3)
    assert (values[0] == 2).all()


def test_float_lists_raw_bytes_and_declared_shapes(tmp_path: Path) -> None:
    raw = bytes(range(12))
    path = write(
        tmp_path / "d.tfrecord",
        example(x=[0.5, 1.5], y=[0.25]),
        example(x=raw, height=[2], width=[2], channels=[3], y=[1]),
        example(x=[1.0, 2.0, 3.0, 4.0], shape=[2, 2], y=[1]),
    )
    dataset = open_dataset(DataSpec(path))
    found = [sample for _, sample in dataset.iterate()]
    arrays = [sample.values[0] for sample in found if isinstance(sample.values, tuple)]
    np.testing.assert_array_equal(arrays[0], [0.5, 1.5])
    assert isinstance(found[0].label, np.ndarray)
    assert arrays[1].shape == (2, 2, 3)
    assert arrays[2].shape == (2, 2)


def test_chosen_feature_keys(tmp_path: Path) -> None:
    path = write(tmp_path / "d.tfrecord", example(a=[1.0], b=[2.0, 3.0], kind=[4]))
    sample = open_dataset(DataSpec(path, x_key="a,b", y_key="kind")).read(0)
    assert len(sample.values) == 2
    assert sample.label == 4
    with pytest.raises(DataError, match="no feature for the input") as caught:
        open_dataset(DataSpec(path)).read(0)
    assert "a, b, kind" in caught.value.why
    with pytest.raises(DataError, match="no feature for the label"):
        open_dataset(DataSpec(path, x_key="a", y_key="z")).read(0)


def test_class_names_as_labels_need_a_labels_file(tmp_path: Path) -> None:
    path = write(tmp_path / "d.tfrecord", example(x=[1.0], label=b"dog"))
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    assert open_dataset(DataSpec(path, labels=str(tmp_path / "labels.txt"))).read(0).label == 1
    with pytest.raises(DataError, match="'dog'") as caught:
        open_dataset(DataSpec(path)).read(0)
    assert "--labels" in caught.value.fixes[0]


def test_a_folder_of_shards_is_one_data_set(tmp_path: Path) -> None:
    write(tmp_path / "val-00001-of-00002", example(x=[2.0], y=[2]))
    write(tmp_path / "val-00000-of-00002", example(x=[1.0], y=[1]))
    assert [sample.label for _, sample in open_dataset(DataSpec(str(tmp_path))).iterate()] == [1, 2]


def test_a_cut_or_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.tfrecord"
    whole = frame(example(x=[1.0])) + frame(example(x=[2.0]))
    flipped = bytearray(whole)
    flipped[1] ^= 1
    for data in (whole[:-1], whole[:-20], whole[:5], bytes(flipped), whole + b"tail"):
        path.write_bytes(data)
        with pytest.raises(DataError, match="damaged or cut off") as caught:
            open_dataset(DataSpec(str(path)))
        assert caught.value.fixes


def test_records_that_are_no_examples_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "d.tfrecord", b"\xff\xff\xff not an example")
    with pytest.raises(DataError, match=r"d\.tfrecord\[0\]"):
        open_dataset(DataSpec(path)).read(0)


def test_every_truncation_of_an_example_is_an_error_or_a_smaller_example() -> None:
    data = example(image=png(), label=[300], z=[1.5, 2.5])
    for end in range(len(data)):
        try:
            parse_example(data[:end])
        except WireError:
            continue
        assert end == 0


def test_compressed_files_are_refused_with_the_command(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "d.tfrecord").write_bytes(gzip.compress(frame(example(x=[1.0]))))
    with pytest.raises(DataError, match="compressed") as caught:
        open_dataset(DataSpec(str(tmp_path / "d.tfrecord")))
    assert "gunzip" in caught.value.fixes[0]
