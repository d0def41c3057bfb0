"""The file that is copied to devices: what it imports, and its protocol, spoken to a real process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runtime.tiny import add_one, quantized_relu
from tfmobile.benchmarking import device_runner
from tfmobile.benchmarking.inputs import write

FILE = Path(device_runner.__file__)
SOURCE = FILE.read_text(encoding="utf-8")


class Device:
    """A runner started from a copy of the file in an empty folder, as on a board."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy = folder / "device_runner.py"
        copy.write_text(SOURCE, encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def load(self, content: bytes, **fields: Any) -> dict[str, Any]:
        path = self.folder / "model.tflite"
        path.write_bytes(content)
        return self.ask("load", **{"model": str(path), "threads": 1, "xnnpack": True, **fields})

    def feed(self, *samples: list[np.ndarray]) -> dict[str, Any]:
        write(self.folder / "feeds.npz", samples)
        return self.ask("feed", path=str(self.folder / "feeds.npz"))


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    for stream in (made.process.stdin, made.process.stdout):
        if stream is not None:
            stream.close()


def test_it_imports_the_standard_library_numpy_and_a_runtime_only() -> None:
    found = set()
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    runtimes = {module.partition(".")[0] for module, _ in device_runner.RUNTIMES}
    assert runtimes == {"ai_edge_litert", "tflite_runtime", "tensorflow"}
    assert found - set(sys.stdlib_module_names) == {"numpy"}


def test_it_is_python_3_9() -> None:
    tree = ast.parse(SOURCE, feature_version=(3, 9))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "zip"]
    assert not [call for call in calls if call.keywords], "zip(strict=) is newer"
    first = tree.body[1]
    assert isinstance(first, ast.ImportFrom)
    assert first.module == "__future__"


def test_it_says_what_the_machine_and_the_runtime_are(device: Device) -> None:
    hello = device.ask("hello")["ok"]
    assert hello["protocol"] == 1
    assert hello["runtime"]
    assert int(hello["host"]["cores"]) >= 1
    assert {"cpu", "os", "python"} <= hello["host"].keys()


def test_it_loads_feeds_and_times(device: Device) -> None:
    device.ask("hello")
    loaded = device.load(add_one(({"image": 0}, {"sum": 2})))["ok"]
    assert loaded["init_ms"] > 0
    assert [(one["key"], one["shape"], one["dtype"]) for one in loaded["inputs"]] == [("image", [1, 4], "float32")]
    fed = device.feed([np.ones((1, 4), np.float32)], [np.zeros((1, 4), np.float32)])["ok"]
    assert fed["samples"] == 2
    assert fed["memory"]["feeds"] == 32
    ran = device.ask("run", count=7, warmup=2)["ok"]
    assert len(ran["times_ms"]) == 7
    assert all(0 < time < 1000 for time in ran["times_ms"])
    assert ran["memory"]["peak"] >= ran["memory"]["baseline"] > 1_000_000


def test_xnnpack_is_really_on_and_really_off(device: Device) -> None:
    device.ask("hello")
    assert device.load(add_one(), xnnpack=True)["ok"]["delegated_ops"] == 1
    assert device.load(add_one(), xnnpack=False)["ok"]["delegated_ops"] == 0


def test_real_values_are_quantized_for_an_integer_input(device: Device) -> None:
    device.ask("hello")
    inputs = device.load(quantized_relu())["ok"]["inputs"]
    assert (inputs[0]["dtype"], inputs[0]["scale"], inputs[0]["zero_point"]) == ("int8", 0.5, 3)
    assert device.feed([np.array([[-1e9, 0, 1, 1e9]], np.float32)])["ok"]["memory"]["feeds"] == 4
    assert device.ask("run", count=1)["ok"]["times_ms"]


def test_quantized_values_are_rounded_and_clipped() -> None:
    detail = {"dtype": np.int8, "quantization": (0.5, 3)}
    made = device_runner._encode(np, np.array([-1e9, 0.0, 1.0, 1e9], np.float32), detail)
    assert made.tolist() == [-128, 3, 5, 127]


def test_samples_of_another_batch_size_resize_the_model(device: Device) -> None:
    device.ask("hello")
    device.load(add_one(), xnnpack=False)
    assert device.feed([np.ones((3, 4), np.float32)])["ok"]["samples"] == 1
    assert len(device.ask("run", count=2)["ok"]["times_ms"]) == 2


def test_errors_have_a_kind_and_the_runner_lives_on(device: Device) -> None:
    device.ask("hello")
    assert device.load(b"nothing like a model")["error"]["kind"] == "load"
    assert device.ask("dance")["error"]["kind"] == "request"
    device.load(add_one())
    assert device.ask("run", count=1)["error"]["kind"] == "request"
    assert device.feed([np.ones((1, 4), np.float32)])["ok"]["samples"] == 1


def test_it_ends_when_its_input_ends(device: Device) -> None:
    assert device.process.stdin is not None
    device.process.stdin.close()
    assert device.process.wait(20) == 0
