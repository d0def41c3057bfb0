"""``benchmark`` with real children on tiny models."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runtime.tiny import add_one, endless, quantized_relu
from tfmobile.artifacts import Latency, NamedModel
from tfmobile.benchmarking import benchmark, runner_process
from tfmobile.errors import DataError, UsageError, VerificationError
from tfmobile.graph.model import Graph, TensorRef, TensorSpec

FEEDS = [{"x": np.full((1, 4), value, np.float32)} for value in (0.5, 1.0)]


def timed(*contents: bytes, **options: Any) -> Latency:
    names = ["original", "optimized", "third"]
    models = [NamedModel(*pair) for pair in zip(names, contents, strict=False)]
    return benchmark(models, **{"time_budget_s": 0.5, **options})


def test_every_model_and_setting_has_a_row_and_every_other_model_a_ratio() -> None:
    calls: list[tuple[str, int, int | None]] = []
    found = timed(
        add_one(), quantized_relu(), threads=(1, 2), xnnpack=(True, False), progress=lambda *call: calls.append(call)
    )
    settings = [(row.name, row.threads, row.xnnpack) for row in found.rows]
    assert settings == [(n, t, x) for n in ("original", "optimized") for t in (1, 2) for x in (True, False)]
    assert [(one.name, one.baseline) for one in found.ratios] == [("optimized", "original")] * 4
    for row in found.rows:
        assert row.runtime == "tflite"
        assert 0 < row.p50_ms <= row.p90_ms <= row.p99_ms
        assert row.interval.low <= row.p50_ms <= row.interval.high
        assert row.runs >= len(row.times_ms) > 0
        assert row.init_ms > 0
        assert row.peak_memory_bytes > row.model_memory_bytes >= 0
    assert {"cpu", "cores", "os", "python", "runtime"} <= found.host.keys()
    assert calls[-1] == ("benchmark", 1, 1)


def test_without_samples_it_says_which_random_range_it_fed() -> None:
    found = timed(add_one(), quantized_relu())
    assert found.inputs == "8 random samples, seeded (x: −65.5 to 62)"


def test_with_samples_it_says_so() -> None:
    assert timed(add_one(), feeds=FEEDS).inputs == "2 samples of the data, in turn"


def test_a_median_that_is_not_certain_is_marked_and_noted() -> None:
    found = timed(add_one(), time_budget_s=0.001)
    assert not found.rows[0].converged
    assert any("time budget" in note and "original (1 thread, XNNPACK on)" in note for note in found.notes)


def test_when_xnnpack_takes_nothing_over_that_is_noted() -> None:
    from tests.runtime.tiny import Builder
    from tfmobile.runtime import flatbuffer

    build = Builder()
    x, y = build.tensor("x", [1, 4], "int32"), build.tensor("y", [1, 4], "int32")
    build.operator("ABS", [x], [y])
    found = timed(flatbuffer.write(build.model([x], [y])))
    assert any("took over no operator" in note for note in found.notes)


# Answers like a runner until the model runs; which damage crashes a real runtime differs between versions.
CRASHES = """
import json, os, signal, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "run" and not request_is_spared(request):
        os.kill(os.getpid(), signal.SIGSEGV)
    row = {"key": "x", "shape": [1, 4], "dtype": "float32"}
    memory = {"baseline": 1, "peak": 2, "feeds": 0}
    print(json.dumps({"ok": {"host": {}, "runtime": "r", "version": "1", "init_ms": 1, "inputs": [row],
                             "delegated_ops": 1, "memory": memory, "times_ms": [1.0] * request.get("count", 0)}}))
    sys.stdout.flush()
"""


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, spared: str) -> None:
    (folder / "device_runner.py").write_text(f"request_is_spared = lambda request: {spared}\n{CRASHES}")
    monkeypatch.setattr(runner_process, "_FOLDER", folder)


def test_a_model_that_crashes_is_named_with_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "False")
    with pytest.raises(VerificationError) as caught:
        timed(add_one(), feeds=FEEDS)
    assert "original (1 thread, XNNPACK on)" in caught.value.what
    assert "SIGSEGV" in caught.value.what
    assert caught.value.fixes


def test_a_setting_that_crashes_is_left_out_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "os.path.exists(__file__ + '.lock') or not open(__file__ + '.lock', 'w')")
    (tmp_path / "device_runner.py.lock").unlink(missing_ok=True)
    found = timed(add_one(), feeds=FEEDS, threads=(1, 2))
    assert [row.threads for row in found.rows] == [2]
    assert any("Not timed" in note and "1 thread" in note and "SIGSEGV" in note for note in found.notes)


def test_a_model_that_hangs_is_stopped_and_named() -> None:
    with pytest.raises(VerificationError, match=r"original .* no answer within 3 seconds"):
        timed(endless(), timeout_s=3)


def test_a_file_that_is_no_model_is_refused() -> None:
    with pytest.raises(VerificationError, match="does not load"):
        timed(b"no model at all, just text")


def test_samples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="wrong shape"):
        timed(add_one(), feeds=[{"x": np.ones((2, 9), np.float32)}])


def test_nothing_to_time_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nothing to time"):
        benchmark([])


def doubled() -> Graph:
    import tensorflow as tf

    from tfmobile.graph.graphdef import from_graph_def

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (1, 4), name="x")
        tf.add(x, x, name="y")
    ends = [TensorSpec(key, TensorRef(key), "float32", (1, 4)) for key in ("x", "y")]
    return from_graph_def(graph.as_graph_def(), ends[:1], ends[1:])


def test_the_original_is_timed_under_tensorflow_too() -> None:
    found = timed(add_one(), quantized_relu(), feeds=FEEDS, tensorflow=doubled())
    assert [(row.name, row.runtime) for row in found.rows] == [
        ("original", "tflite"),
        ("optimized", "tflite"),
        ("original", "tensorflow"),
    ]
    assert found.rows[2].init_ms > 1
    assert found.rows[2].peak_memory_bytes > 100e6
    assert found.host["tensorflow"]
    assert len(found.ratios) == 1


def test_without_tensorflow_its_row_is_missing_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name))
    graph = Graph({}, (), ())
    found = timed(add_one(), tensorflow=graph)
    assert [row.runtime for row in found.rows] == ["tflite"]
    assert any("TensorFlow, which is not installed" in note for note in found.notes)


def test_a_graph_that_tensorflow_refuses_costs_its_row_only() -> None:
    from tfmobile.graph.model import Node

    nodes = {"x": Node("x", "Placeholder"), "y": Node("y", "NoSuchOp", (TensorRef("x"),))}
    ends = [TensorSpec(key, TensorRef(key), "float32", (1, 4)) for key in ("x", "y")]
    graph = Graph(nodes, tuple(ends[:1]), tuple(ends[1:]))
    found = timed(add_one(), tensorflow=graph)
    assert [row.runtime for row in found.rows] == ["tflite"]
    assert any("under TensorFlow" in note and "NoSuchOp" in note for note in found.notes)


def test_importing_it_imports_no_runtime() -> None:

    code = (
        "import tfmobile.benchmarking, json, sys; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"tensorflow", "ai_edge_litert", "rich"} & set(json.loads(printed))
