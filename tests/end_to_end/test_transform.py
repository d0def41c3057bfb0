"""``tfmobile transform``, as a user runs it, on a small frozen graph."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.running import Ran, tfmobile, tfmobile_here
from tests.passes.freezing import tf1
from tfmobile.graph.graphdef import from_graph_def, serialize
from tfmobile.graph.model import Graph, TensorRef, TensorSpec


def _network() -> Graph:
    import tensorflow as tf

    weights = np.linspace(-1, 1, 3 * 3 * 3 * 8, dtype="float32").reshape(3, 3, 3, 8)

    def build(x: Any) -> Any:
        with tf.device("/device:GPU:0"):
            hidden = tf.nn.conv2d(tf.identity(x), weights, 1, "SAME", name="conv")
        hidden = tf.nn.relu(tf.identity(hidden) * np.arange(1, 9, dtype="float32"), name="hidden")
        tf.nn.softmax(hidden, name="unused")
        return tf.reduce_mean(hidden, [1, 2], name="y")

    return tf1(build, (1, 8, 8, 3))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "frozen.pb"
    path.write_bytes(serialize(_network()))
    return path


def _transform(frozen: Path, passes: str, *more: str | Path) -> Ran:
    return tfmobile_here("transform", frozen, "--inputs", "x", "--outputs", "y", "--passes", passes, *more)


def _read(path: Path) -> Graph:
    x = TensorSpec("x", TensorRef("x"), "float32", (1, 8, 8, 3))
    return from_graph_def(path.read_bytes(), [x], [TensorSpec("y", TensorRef("y"), "float32", None)])


def test_each_pass_is_told_with_its_proof_and_the_line_that_repeats_it(frozen: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    ran = _transform(
        frozen, "strip_unused_nodes remove_nodes(op=Identity) fold_batch_norms", "--out", out, "--save-steps",
        tmp_path / "steps",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "Removed 1 node that no output needs." in ran.out
    assert "verified: difference" in ran.out
    assert {node.op for node in _read(out)} == {"Placeholder", "Const", "Conv2D", "Relu", "Mean"}
    lines = [line.strip() for line in ran.out.splitlines() if line.startswith("  tfmobile transform")]
    assert len(lines) == 3
    again = tfmobile(*shlex.split(lines[2])[1:], cwd=tmp_path)
    assert again.code == 0, again.err
    assert (tmp_path / "steps" / "03-fold-batch-norms.pb").read_bytes() == out.read_bytes()


def test_the_graph_is_edited_as_it_is_written(frozen: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    ran = _transform(frozen, "set_device(device=/cpu:0, if_default=true)", "--out", out)
    assert ran.code == 0, ran.err
    devices = {node.name: node.device for node in _read(out)}
    assert devices["conv"] == "/device:GPU:0"
    assert devices["hidden"] == "/cpu:0"
    assert "unused" in devices


def test_a_refused_pass_writes_nothing_unless_errors_are_ignored(frozen: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    ran = _transform(frozen, "remove_device fold_batch_norms", "--tolerance", "0", "--out", out)
    assert ran.code == 6
    assert "The pass fold-batch-norms was refused." in ran.err
    assert "fold-batch-norms(ignore_errors=true)" in ran.err
    assert not out.exists()
    ran = _transform(
        frozen, "remove_device fold_batch_norms(ignore_errors=true)", "--tolerance", "0", "--out", out, "--json"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    first, second = ran.json["steps"]
    assert (first["refused"], second["refused"]) == (False, True)
    assert second["reason"]
    assert any(node.op == "Mul" for node in _read(out))


def test_json_is_one_document_with_a_command_for_each_step(frozen: Path, tmp_path: Path) -> None:
    ran = _transform(frozen, "round_weights(num_steps=4)", "--out", tmp_path / "out.pb", "--json")
    (step,) = json.loads(ran.out)["steps"]
    assert step["call"] == "round-weights(num_steps=4)"
    assert not step["keeps_answer"]
    assert 0 < step["max_rel"] < 1
    assert shlex.split(step["command"])[:2] == ["tfmobile", "transform"]


def test_samples_of_a_data_set_are_used(frozen: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32"))
    ran = _transform(frozen, "remove_device", "--data", tmp_path / "data.npz", "--out", tmp_path / "o.pb", "--json")
    (step,) = ran.json["steps"]
    assert step["samples"] == 4
    assert "random" not in step["reason"]


def test_text_graphs_are_read_and_written(frozen: Path, tmp_path: Path) -> None:
    text = tmp_path / "graph.pbtxt"
    assert _transform(frozen, "sort_by_execution_order", "--out", text).code == 0
    assert text.read_text().startswith("node {")
    back = tmp_path / "back.pb"
    assert _transform(text, "sort_by_execution_order", "--out", back).code == 0
    assert {node.name for node in _read(back)} == {node.name for node in _read(frozen)}


@pytest.mark.parametrize(
    ("passes", "code", "words"),
    [
        ("fold_constants(x=1)", 2, "has no argument 'x'"),
        ("fold_constant", 2, "Did you mean 'fold-constants'?"),
        ("", 2, "No pass was named."),
        ("rename_node(old_node_name=nothing, new_node_name=b)", 2, "nothing"),
    ],
)
def test_bad_passes_have_their_exit_code_and_leave_nothing(
    frozen: Path, tmp_path: Path, passes: str, code: int, words: str
) -> None:
    out = tmp_path / "out.pb"
    ran = _transform(frozen, passes, "--out", out)
    assert ran.code == code
    assert words in ran.err
    assert "fix:" in ran.err
    assert not out.exists()


def test_a_tflite_is_no_graph(tmp_path: Path) -> None:
    from tests.runtime.tiny import add_one

    model = tmp_path / "m.tflite"
    model.write_bytes(add_one())
    ran = tfmobile_here("transform", model, "--passes", "remove_device", "--out", tmp_path / "out.pb")
    assert ran.code == 2
    assert "is a .tflite" in ran.err
