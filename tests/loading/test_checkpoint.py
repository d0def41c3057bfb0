"""TF1 checkpoints: with .meta, without, by any of their files, and incomplete ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmobile.errors import ModelError
from tfmobile.loading import identify, load


def test_training_is_set_aside_and_the_prediction_found(checkpoint: Path, answers: Callable[..., Any]) -> None:
    source = load(checkpoint)
    assert source.graph is not None
    assert [spec.key for spec in source.graph.inputs] == ["x"]
    assert [spec.key for spec in source.graph.outputs] == ["pred"]
    assert not {"VariableV2", "VarHandleOp", "Assign", "RestoreV2"} & {node.op for node in source.graph}
    np.testing.assert_array_equal(answers(source, [[10.0, 1.0]])[0], [[24.0]])


@pytest.mark.parametrize("ending", ["", ".meta", ".index", ".data-00000-of-00001"])
def test_every_file_of_it_stands_for_the_checkpoint(checkpoint: Path, ending: str) -> None:
    found = identify(f"{checkpoint}{ending}")
    assert (found.format, found.root) == ("checkpoint", checkpoint)


def test_folder_with_a_state_file_stands_for_the_latest(checkpoint: Path) -> None:
    assert load(checkpoint.parent).sha256 == load(checkpoint).sha256


def test_state_file_from_another_machine_still_works(checkpoint: Path) -> None:
    (checkpoint.parent / "checkpoint").write_text('model_checkpoint_path: "/home/them/run7/model.ckpt"\n')
    assert identify(checkpoint.parent).root == checkpoint


def test_without_meta_the_graph_is_asked_for(checkpoint: Path) -> None:
    Path(f"{checkpoint}.meta").unlink()
    with pytest.raises(ModelError, match="no graph") as caught:
        load(checkpoint)
    assert "--graph" in caught.value.fixes[0]


@pytest.mark.parametrize("kind", ["graph.meta", "graph.pb", "graph.pbtxt"])
def test_graph_from_elsewhere(
    tf: Any, checkpoint: Path, tmp_path: Path, kind: str, answers: Callable[..., Any]
) -> None:
    meta = tf.compat.v1.MetaGraphDef.FromString(Path(f"{checkpoint}.meta").read_bytes())
    Path(f"{checkpoint}.meta").unlink()
    graph = tmp_path / kind
    content = {"graph.meta": meta.SerializeToString(), "graph.pb": meta.graph_def.SerializeToString()}
    graph.write_bytes(content.get(kind, str(meta.graph_def).encode()))
    source = load(checkpoint, graph=graph)
    assert any("The graph comes from" in note for note in source.notes)
    np.testing.assert_array_equal(answers(source, [[10.0, 1.0]])[0], [[24.0]])


def test_partitioned_variable_is_put_together(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 4], name="x")
        with v1.variable_scope("v", partitioner=v1.fixed_size_partitioner(2), use_resource=False):
            w = v1.get_variable("w", initializer=tf.range(4.0))
        tf.multiply(x, tf.convert_to_tensor(w), name="y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "parts"))
    np.testing.assert_array_equal(answers(load(tmp_path / "parts"), np.ones((1, 4)))[0], [[0.0, 1.0, 2.0, 3.0]])


def test_averaged_weights_are_restored_by_the_savers_names(
    tf: Any, tmp_path: Path, answers: Callable[..., Any]
) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 1], name="x")
        w = v1.get_variable("w", initializer=tf.constant([[5.0]]), use_resource=False)
        tf.multiply(x, w, name="y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver({"w/ExponentialMovingAverage": w}).save(session, str(tmp_path / "ema"))
    assert answers(load(tmp_path / "ema"), [[2.0]])[0] == 10.0


def test_missing_shard_is_named(checkpoint: Path) -> None:
    Path(f"{checkpoint}.data-00000-of-00001").rename(f"{checkpoint}.data-00000-of-00002")
    with pytest.raises(ModelError, match="incomplete") as caught:
        load(checkpoint)
    assert "data-00001-of-00002" in caught.value.why


def test_checkpoint_of_another_graph_is_refused(tf: Any, checkpoint: Path, tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [1, 2], name="x")
        tf.multiply(x, v1.get_variable("unheard_of", [2]), name="y")
    other = tmp_path / "other.pb"
    other.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ModelError, match="have no value") as caught:
        load(checkpoint, graph=other)
    assert "unheard_of" in caught.value.why


def test_weights_without_network_say_so(tf: Any, tmp_path: Path) -> None:
    tf.train.Checkpoint(w=tf.Variable(1.0)).write(str(tmp_path / "weights"))
    with pytest.raises(ModelError, match="weights without a network") as caught:
        load(tmp_path / "weights")
    assert caught.value.fixes


def test_two_checkpoints_without_state_are_listed(checkpoint: Path) -> None:
    (checkpoint.parent / "checkpoint").unlink()
    shutil.copy(f"{checkpoint}.index", checkpoint.parent / "second.index")
    with pytest.raises(ModelError, match="several checkpoints"):
        load(checkpoint.parent)


def test_graph_with_variables_alone_asks_for_the_checkpoint(tf: Any, checkpoint: Path, tmp_path: Path) -> None:
    meta = tf.compat.v1.MetaGraphDef.FromString(Path(f"{checkpoint}.meta").read_bytes())
    path = tmp_path / "unfrozen.pb"
    path.write_bytes(meta.graph_def.SerializeToString())
    with pytest.raises(ModelError, match="not frozen") as caught:
        load(path)
    assert f"--graph {path}" in caught.value.fixes[0]
