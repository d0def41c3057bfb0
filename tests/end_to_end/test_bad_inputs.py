"""Bad inputs, as users bring them: each a typed error with a fix and its exit code, and nothing half-written."""

from __future__ import annotations

import errno
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfmobile.workspace
from tests.end_to_end.running import Sample
from tfmobile.cli import main

USAGE, MODEL, DATA, UNSUPPORTED, OUTPUT = 2, 3, 4, 5, 8


@dataclass
class Case:
    """A good command line to spoil. ``words`` are options; ``model`` and ``out`` are placed around them."""

    folder: Path
    small: Sample
    model: Path
    out: Path
    words: list[str] = field(default_factory=list)

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def npz(self, name: str, **arrays: Any) -> str:
        path = self.folder / name
        np.savez(path, **arrays)
        return str(path)

    def data(self, path: str | Path) -> None:
        self.words = ["--data", str(path)]

    def calibrate(self, path: str | Path) -> None:
        self.words = ["--calibrate-with", str(path)]


@pytest.fixture
def case(small: Sample, tmp_path: Path) -> Case:
    return Case(tmp_path, small, small.model, tmp_path / "out", ["--calibrate-with", str(small.calibration)])


Spoil = Callable[[Case], None]


def model_bytes(name: str, content: bytes) -> Spoil:
    def spoil(case: Case) -> None:
        case.model = case.file(name, content)

    return spoil


def truncated(name: str, share: float) -> Spoil:
    def spoil(case: Case) -> None:
        whole = case.small.model.read_bytes()
        case.model = case.file(name, whole[: int(len(whole) * share)])

    return spoil


def random_bytes(name: str) -> Spoil:
    return model_bytes(name, np.random.default_rng(7).bytes(5000))


def options(*words: str) -> Spoil:
    def spoil(case: Case) -> None:
        case.words += words

    return spoil


def no_model(case: Case) -> None:
    case.model = case.folder / "absent.h5"


def empty_folder(case: Case) -> None:
    case.model = case.folder / "empty"
    case.model.mkdir()


def folder_of_text(case: Case) -> None:
    case.file("notes/readme.txt", b"hello")
    case.model = case.folder / "notes"


def saved_model_without_variables(case: Case) -> None:
    import tensorflow as tf

    class Doubler(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable([2.0])

        @tf.function(input_signature=[tf.TensorSpec([1, 4])])  # type: ignore[misc]
        def __call__(self, x: Any) -> Any:
            return x * self.factor

    case.model = case.folder / "saved"
    module = Doubler()
    tf.saved_model.save(module, str(case.model), signatures=module.__call__)
    shutil.rmtree(case.model / "variables")


def unknown_signature(case: Case) -> None:
    saved_model_without_variables(case)
    case.words += ["--signature", "nonsense"]


def checkpoint_without_data(case: Case) -> None:
    case.file("ckpt/checkpoint", b'model_checkpoint_path: "model.ckpt"\n')
    case.file("ckpt/model.ckpt.meta", b"\x00\x01\x02")
    case.model = case.folder / "ckpt"


def keras_zip_without_config(case: Case) -> None:
    case.model = case.folder / "bare.keras"
    with zipfile.ZipFile(case.model, "w") as file:
        file.writestr("weights.txt", "nothing")


def keras_with_lambda(case: Case) -> None:
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)])
    case.model = case.folder / "code.keras"
    model.save(case.model)


def graph_with_hash_table(case: Case) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.string, [1], name="word")
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
        tf.identity(table.lookup(x), name="id")
    case.model = case.file("table.pb", graph.as_graph_def().SerializeToString())


def graph_with_missing_op(case: Case) -> None:
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph.node.add(name="y", op="VendorMagic", input=["x"])
    case.model = case.file("vendor.pb", graph.SerializeToString())


def dynamic_size(case: Case) -> None:
    import keras

    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    case.model = case.folder / "dynamic.keras"
    model.save(case.model)


def already_int8(case: Case) -> None:
    import tensorflow as tf

    module = tf.keras.Sequential([tf.keras.Input((4,), batch_size=1), tf.keras.layers.Dense(2)])
    converter = tf.lite.TFLiteConverter.from_keras_model(module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter([[np.ones((1, 4), np.float32)]] * 3)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    case.model = case.file("int8.tflite", converter.convert())
    case.calibrate(case.npz("c.npz", x=np.random.default_rng(0).random((5, 4), np.float32)))


def no_data(case: Case) -> None:
    case.words = []


def spoiled_sample(value: float) -> Spoil:
    def spoil(case: Case) -> None:
        x = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
        x[3, 2, 2, 0] = value
        case.calibrate(case.npz("c.npz", x=x))

    return spoil


def constant_samples(case: Case) -> None:
    case.calibrate(case.npz("c.npz", x=np.full((6, 8, 8, 1), 0.5, np.float32)))


def no_samples(case: Case) -> None:
    case.calibrate(case.npz("c.npz", x=np.zeros((0, 8, 8, 1), np.float32)))


def wrong_shape(case: Case) -> None:
    case.calibrate(case.npz("c.npz", x=np.ones((6, 9, 9, 1), np.float32)))


def wrong_key(case: Case) -> None:
    case.calibrate(case.npz("c.npz", pictures=np.ones((6, 8, 8, 1)), other=np.ones(6)))


def labels_of_wrong_count(case: Case) -> None:
    case.data(case.npz("d.npz", x=np.random.default_rng(0).random((6, 8, 8, 1), np.float32), y=np.zeros(5, np.int64)))


def label_out_of_range(case: Case) -> None:
    x = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
    case.data(case.npz("d.npz", x=x, y=np.array([0, 1, 2, 3, 4, 900])))


def pickled_data(case: Case) -> None:
    case.calibrate(case.npz("c.npz", x=np.array([{"a": 1}, None], dtype=object)))


def data_bytes(name: str, content: bytes) -> Spoil:
    def spoil(case: Case) -> None:
        case.calibrate(case.file(name, content))

    return spoil


def folder_with_broken_picture(case: Case) -> None:
    case.file("pictures/a.png", b"\x89PNG\r\n\x1a\nbroken")
    case.calibrate(case.folder / "pictures")


def folder_without_pictures(case: Case) -> None:
    (case.folder / "pictures").mkdir()
    case.calibrate(case.folder / "pictures")


def csv_names_missing_file(case: Case) -> None:
    case.file("d/labels.csv", b"file,label\nabsent.png,1\n")
    case.data(case.folder / "d")


def csv_with_bad_label(case: Case) -> None:
    case.file("d/labels.csv", b"file,label\na.png,\n")
    case.file("d/a.png", b"")
    case.data(case.folder / "d")


def bad_toml(text: str) -> Spoil:
    def spoil(case: Case) -> None:
        case.words += ["--config", str(case.file("tfmobile.toml", text.encode()))]

    return spoil


def out_is_a_file(case: Case) -> None:
    case.out.write_text("in the way")


def out_under_a_file(case: Case) -> None:
    case.out.write_text("in the way")
    case.out = case.out / "below"


CASES: dict[str, tuple[int, Spoil]] = {
    "missing model": (MODEL, no_model),
    "empty file": (MODEL, model_bytes("m.pb", b"")),
    "empty .keras": (MODEL, model_bytes("m.keras", b"")),
    "empty .tflite": (MODEL, model_bytes("m.tflite", b"")),
    "truncated .keras": (MODEL, truncated("m.keras", 0.6)),
    "first bytes of .keras": (MODEL, truncated("m.keras", 0.01)),
    "random .pb": (MODEL, random_bytes("m.pb")),
    "random .pbtxt": (MODEL, random_bytes("m.pbtxt")),
    "random .h5": (MODEL, random_bytes("m.h5")),
    "random .keras": (MODEL, random_bytes("m.keras")),
    "random .tflite": (MODEL, random_bytes("m.tflite")),
    "random without ending": (MODEL, random_bytes("model")),
    "truncated HDF5": (MODEL, model_bytes("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(40))),
    "right magic, wrong .tflite": (MODEL, model_bytes("m.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(64))),
    "a picture": (MODEL, model_bytes("m.pb", b"\x89PNG\r\n\x1a\n" + bytes(100))),
    "a web page": (MODEL, model_bytes("m.h5", b"<!DOCTYPE html><html>404</html>")),
    "a large-file pointer": (MODEL, model_bytes("m.pb", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
    "a PyTorch pickle": (MODEL, model_bytes("m.pt", b"\x80\x02}q\x00.")),
    "folder with nothing in it": (MODEL, empty_folder),
    "folder that is no SavedModel": (MODEL, folder_of_text),
    "SavedModel without variables": (MODEL, saved_model_without_variables),
    "unknown signature": (MODEL, unknown_signature),
    "checkpoint without data": (MODEL, checkpoint_without_data),
    ".keras without config": (MODEL, keras_zip_without_config),
    "Lambda without --trust": (MODEL, keras_with_lambda),
    "dynamic picture size": (MODEL, dynamic_size),
    "unknown input node": (MODEL, options("--input", "absent", "--input-shape", "absent=1x2")),
    "unknown output node": (MODEL, options("--output", "absent")),
    "input shape of letters": (USAGE, options("--input-shape", "axb")),
    "hash table": (UNSUPPORTED, graph_with_hash_table),
    "op that TensorFlow does not have": (UNSUPPORTED, graph_with_missing_op),
    "already quantized": (UNSUPPORTED, already_int8),
    "int8 without data": (DATA, no_data),
    "NaN in a sample": (DATA, spoiled_sample(np.nan)),
    "infinity in a sample": (DATA, spoiled_sample(np.inf)),
    "constant samples": (DATA, constant_samples),
    "no samples": (DATA, no_samples),
    "samples of the wrong shape": (DATA, wrong_shape),
    "unknown key": (DATA, wrong_key),
    "more samples than labels": (DATA, labels_of_wrong_count),
    "label out of range": (DATA, label_out_of_range),
    "pickles in .npz": (DATA, pickled_data),
    "missing data": (DATA, lambda case: case.calibrate(case.folder / "absent")),
    "random .npz": (DATA, data_bytes("c.npz", b"PK\x03\x04" + bytes(50))),
    "truncated .npy": (DATA, data_bytes("c.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4',")),
    "truncated TFRecord": (DATA, data_bytes("c.tfrecord", b"\x10\x00\x00\x00\x00\x00\x00\x00\x01\x02")),
    "broken picture": (DATA, folder_with_broken_picture),
    "no pictures": (DATA, folder_without_pictures),
    "labels.csv names a missing file": (DATA, csv_names_missing_file),
    "labels.csv without a label": (DATA, csv_with_bad_label),
    "data module that does not exist": (DATA, lambda case: case.calibrate("no_such_module:samples")),
    "unknown recipe": (USAGE, options("--recipe", "int9")),
    "unknown target": (USAGE, options("--target", "toaster")),
    "unknown pass": (USAGE, options("--passes", "fold-everything")),
    "unknown option": (USAGE, options("--frobnicate")),
    "mean of letters": (USAGE, options("--mean", "abc")),
    "std of zero": (USAGE, options("--std", "0")),
    "crop above one": (USAGE, options("--central-crop", "1.5")),
    "size of zero": (USAGE, options("--resize", "0x8")),
    "wrong TOML": (USAGE, bad_toml("[optimize\n")),
    "unknown TOML key": (USAGE, bad_toml("[optimize]\nrecip = 'int8'\n")),
    "io the recipe cannot make": (UNSUPPORTED, options("--recipe", "float16", "--io", "int8")),
    "output is a file": (OUTPUT, out_is_a_file),
    "output below a file": (OUTPUT, out_under_a_file),
}


def run(case: Case, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any], str]:
    words = ["optimize", str(case.model), *case.words, "--no-benchmark", "--json", "-o", str(case.out), *more]
    with pytest.raises(SystemExit) as left:
        main(words)
    captured = capsys.readouterr()
    return int(left.value.code or 0), json.loads(captured.out), captured.err


def results_in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.name != ".work")
        yield from folder.glob(".work/*.tmp")


@pytest.mark.parametrize("name", list(CASES))
def test_a_typed_error_with_a_fix_and_nothing_half_written(
    name: str, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, spoil = CASES[name]
    spoil(case)
    capsys.readouterr()
    code, document, text = run(case, capsys)
    error = document["error"]
    assert code == exit_code, error
    assert error["exit_code"] == exit_code
    assert error["what"]
    assert error["fixes"]
    assert all(error["fixes"])
    assert "Traceback" not in text
    assert f"error: {error['code']}" in text
    assert not list(results_in(case.out))


def test_there_are_at_least_fifty_of_them() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_when_writing_fails_earlier_results_stay_whole(
    case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    case.out.mkdir()
    (case.out / "model.tflite").write_bytes(b"from an earlier run")
    write = tfmobile.workspace._write_durably
    written = 0

    def failing(path: Path, content: bytes) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise OSError(code, "written to fail")
        write(path, content)

    monkeypatch.setattr(tfmobile.workspace, "_write_durably", failing)
    exit_code, document, _ = run(case, capsys)
    assert exit_code == OUTPUT
    assert document["error"]["fixes"]
    assert (case.out / "model.tflite").read_bytes() == b"from an earlier run"
