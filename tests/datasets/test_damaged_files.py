"""Whatever the bytes of a data file are: reading gives samples or a DataError with a fix, never another exception."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.datasets.test_tfrecords import example, frame, png
from tfmobile.datasets import DataSpec, open_dataset, thumbnail
from tfmobile.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)


def whole_file(name: str) -> bytes:
    buffer = io.BytesIO()
    if name == "a.npy":
        np.save(buffer, X)
    elif name == "stored.npz":
        np.savez(buffer, x=X, y=np.arange(4))
    elif name == "packed.npz":
        np.savez_compressed(buffer, x=X, y=np.array(list("abca")))
    elif name == "a.tfrecord":
        return b"".join(frame(example(image=png(i), label=[i], shape=[4, 6, 3])) for i in range(3))
    elif name == "labels.csv":
        return b"file,label\na.png,1\nb.png,2\n"
    else:
        Image.fromarray(X[0]).save(buffer, Path(name).suffix[1:].replace("jpg", "jpeg"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name", ["a.npy", "stored.npz", "packed.npz", "a.tfrecord", "labels.csv", "a.jpg", "a.png", "a.gif", "a.bmp"]
)
@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(whole_file(name))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, len(content) - 1), st.integers(0, min(len(content), 160) - 1)))
        action = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if action == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif action == "cut":
            content = content[: place + 1]
        else:
            content[place:place] = data.draw(st.binary(min_size=1, max_size=8))
    (tmp_path / name).write_bytes(bytes(content))
    folder = Path(name).suffix in (".jpg", ".png", ".gif", ".bmp") or name == "labels.csv"
    try:
        for _, sample in open_dataset(DataSpec(str(tmp_path if folder else tmp_path / name))).iterate():
            thumbnail(sample)
    except DataError as error:
        assert error.fixes  # noqa: PT017
