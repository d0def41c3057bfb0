"""Files that are no model: each gives a typed error that names the file and says what to do."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tfmobile.errors import ModelError, TfmobileError, UnsupportedError
from tfmobile.loading import load

# Bytes of one file → the words its error must hold. Each stands for a mistake that people make.
CONTENTS: dict[str, tuple[bytes, str]] = {
    "empty.pb": (b"", "empty"),
    "empty.h5": (b"", "empty"),
    "empty.tflite": (b"", "empty"),
    "zeros.pb": (bytes(1000), "no known format"),
    "random.pb": (random.Random(1).randbytes(4000), "no known format"),
    "random.keras": (random.Random(2).randbytes(4000), "no known format"),
    "one_byte.pb": (b"\x0a", ""),
    "picture.pb": (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
    "photo.h5": (b"\xff\xd8\xff\xe0" + bytes(100), "JPEG"),
    "paper.pb": (b"%PDF-1.7\n", "PDF"),
    "pointer.h5": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS"),
    "page.tflite": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "page.xml.pb": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "web page"),
    "note.pb": (b"This is my model, trained on Tuesday.", "plain text"),
    "network.json": (b'{"class_name": "Sequential", "config": []}', "JSON"),
    "model.pkl": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.", "pickle"),
    "program.pb": (b"\x7fELF\x02\x01\x01" + bytes(60), "program"),
    "array.npy": (b"\x93NUMPY\x01\x00" + bytes(60), "NumPy"),
    "language.gguf": (b"GGUF\x03\x00\x00\x00" + bytes(60), "GGUF"),
    "weights.safetensors": (b"\x10\x00\x00\x00\x00\x00\x00\x00" + b'{"a": [1, 2, 3]}', "safetensors"),
    "model.tar.gz": (gzip.compress(b"x" * 100), "gzip"),
    "model.zst": (b"\x28\xb5\x2f\xfd" + bytes(60), "Zstandard"),
    "half.keras": (b"PK\x03\x04" + bytes(200), "damaged or truncated zip"),
    "half.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "flat.tflite": (b"\x20\x00\x00\x00TFL3" + bytes(8), "outside the file"),
    "text.pbtxt": (b'node { name: "x" op: "Placeholder" ', "damaged"),
    "bad.pbtxt": (b'node { name: "x" colour: "red" }', "colour"),
    "empty_saved.pb": (b"\x08\x01", "no graph"),
    # ONNX ModelProto: ir_version 8, producer_name, graph
    "model.onnx": (b"\x08\x08\x12\x07pytorch\x3a\x04\x12\x02hi\x42\x02\x10\x0d", "ONNX"),
}


def check(error: TfmobileError, path: Path, words: str) -> None:
    text = f"{error} {error.why}"
    assert path.name in text
    assert words.lower() in text.lower()
    assert error.fixes
    assert all(fix.strip() for fix in error.fixes)


@pytest.mark.parametrize("name", sorted(CONTENTS))
def test_file_that_is_no_model(tmp_path: Path, name: str) -> None:
    content, words = CONTENTS[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, words)


@pytest.mark.parametrize("fixture", ["frozen_pb", "keras2_h5", "keras2_archive", "keras3_archive", "tflite"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.999])
def test_truncated_file(fixture: str, part: float, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(fixture)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    if fixture == "tflite" and part > 0.5:
        return  # the rest of it is the runtime's to judge, in a child process
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, "")


def failure(path: Path) -> TfmobileError | None:
    """The typed error of loading; anything else than that or success is a traceback for the user."""
    try:
        load(path)
    except TfmobileError as error:
        return error
    return None


@pytest.mark.parametrize("fixture", ["frozen_pb", "keras2_h5", "keras3_archive", "tflite"])
def test_flipped_bytes_never_end_in_a_traceback(fixture: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(fixture)
    content = path.read_bytes()
    dice = random.Random(7)
    for _ in range(25):
        damaged = bytearray(content)
        for _ in range(dice.randint(1, 20)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        error = failure(path)
        assert error is None or error.fixes


def zip_of(path: Path, **content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name.replace("__", "."), data)
    return path


def weights() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("layers")
    return buffer.getvalue()


METADATA = json.dumps({"keras_version": "3.9.0"}).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"readme__txt": b"hello"}, "no Keras model"),
        ({"a__npy": b"x"}, "NumPy archive"),
        ({"model/data__pkl": b"x"}, "PyTorch"),
        ({"saved_model__pb": b"x"}, "zipped SavedModel"),
        ({"config__json": b"{}"}, "metadata.json"),
        ({"config__json": b"{}", "metadata__json": METADATA}, "model.weights.h5"),
        ({"config__json": b"{", "metadata__json": METADATA, "model__weights__h5": weights()}, "configuration"),
        ({"config__json": b"[1]", "metadata__json": METADATA, "model__weights__h5": weights()}, "no JSON object"),
        ({"config__json": b"[" * 100_000, "metadata__json": METADATA, "model__weights__h5": weights()}, ""),
        ({"config__json": b"{}", "metadata__json": METADATA, "model__weights__h5": b"nonsense"}, "damaged"),
        ({"config__json": b"{}", "metadata__json": METADATA, "model__weights__h5": weights()}, "Keras"),
    ],
)
def test_zip_that_is_no_keras_model(tmp_path: Path, content: dict[str, bytes], words: str) -> None:
    path = zip_of(tmp_path / "model.keras", **content)
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, words)


def test_h5_that_is_only_data(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, "no Keras model")


def test_h5_of_keras_1(tmp_path: Path) -> None:
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "1.2.2"
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": [{"class_name": "Convolution2D"}]}
        )
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, "Keras 1")


FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty folder": (lambda folder: None, "It is empty"),
    "folder of pictures": (lambda folder: (folder / "cat.jpg").write_bytes(b"\xff\xd8\xff"), "cat.jpg"),
    "variables only": (lambda folder: (folder / "variables").mkdir(), "variables/"),
    "unpacked keras": (
        lambda folder: [(folder / n).write_text("{}") for n in ("config.json", "metadata.json")],
        "config.json",
    ),
    "empty saved_model.pb": (lambda folder: (folder / "saved_model.pb").write_bytes(b""), "empty"),
    "random saved_model.pb": (lambda folder: (folder / "saved_model.pb").write_bytes(b"\x07" * 99), "no known format"),
    "state without files": (
        lambda folder: (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt"'),
        "incomplete",
    ),
}


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_folder_that_is_no_model(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    build, words = FOLDERS[name]
    build(folder)
    with pytest.raises(ModelError) as caught:
        load(folder)
    check(caught.value, folder, words)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_truncated_saved_model(saved_model: Path, part: float) -> None:
    path = saved_model / "saved_model.pb"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ModelError) as caught:
        load(saved_model)
    check(caught.value, saved_model, "")


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "zeros"])
def test_saved_model_with_damaged_variables(saved_model: Path, name: str, damage: str) -> None:
    path = saved_model / "variables" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"empty": b"", "cut": content[:5], "zeros": bytes(len(content))}[damage])
    with pytest.raises(ModelError) as caught:
        load(saved_model)
    check(caught.value, saved_model, "variables")


def test_path_that_is_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.pb"
    os.mkfifo(path)
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, "pipe")


@pytest.mark.parametrize("text", ["gone.pb", "no/such/folder", "a\0b", "x" * 5000])
def test_path_that_does_not_exist(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(tmp_path / text)
    assert caught.value.fixes


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(frozen_pb: Path) -> None:
    frozen_pb.chmod(0)
    with pytest.raises(ModelError) as caught:
        load(frozen_pb)
    check(caught.value, frozen_pb, "ermission")


def graph(tf: Any, *nodes: tuple[str, str, list[str]]) -> bytes:
    proto = tf.compat.v1.GraphDef()
    for name, op, inputs in nodes:
        node = proto.node.add(name=name, op=op, input=inputs)
        key = "dtype" if op in ("Placeholder", "Const") else "T"
        node.attr[key].type = 1
    content: bytes = proto.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([("y", "Relu", ["x"])], ""),
        ([("x", "Placeholder", []), ("y", "Relu", ["gone"])], ""),
        ([("x", "Placeholder", []), ("y", "Relu", ["x", "x"])], "contradicts itself"),
        ([("x", "Placeholder", []), ("y", "Relu", ["x:3"])], "contradicts itself"),
        ([("x", "Placeholder", []), ("y", "AddV2", ["x", "y"])], "output"),
        ([("c", "Const", [])], "output"),
    ],
)
def test_graph_that_is_not_whole(tf: Any, tmp_path: Path, nodes: Any, words: str) -> None:
    path = tmp_path / "broken.pb"
    path.write_bytes(graph(tf, *nodes))
    with pytest.raises((ModelError, UnsupportedError)) as caught:
        load(path, input_shape=["1x2"])
    check(caught.value, path, words)


def test_meta_graph_alone_asks_for_its_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "alone.bin"
    shutil.copy(f"{checkpoint}.meta", path)
    with pytest.raises(ModelError) as caught:
        load(path)
    check(caught.value, path, "without its variables")
