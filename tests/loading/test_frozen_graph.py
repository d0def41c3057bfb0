"""Frozen GraphDefs: guessed ends, named ends, cutting, shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmobile.errors import ModelError, UnsupportedError, UsageError
from tfmobile.graph.model import TensorRef
from tfmobile.loading import load

X = np.array([[1.0, -1.0, 0.5, 0.25]], np.float32)


def reference(tf: Any, path: Path, fetch: str, feeds: dict[str, Any]) -> np.ndarray:
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return np.asarray(session.run(fetch, feeds))


def test_ends_are_guessed_and_said_in_a_note(tf: Any, frozen_pb: Path, answers: Callable[..., Any]) -> None:
    source = load(frozen_pb)
    assert source.graph is not None
    assert [spec.key for spec in source.graph.inputs] == ["x"]
    assert [spec.key for spec in source.graph.outputs] == ["y"]
    assert any("guessed input: 'x'; output: 'y'" in note for note in source.notes)
    np.testing.assert_allclose(answers(source, X)[0], reference(tf, frozen_pb, "y:0", {"x:0": X}), atol=1e-6)


def test_assert_and_summary_are_dropped_and_counted(frozen_pb: Path) -> None:
    source = load(frozen_pb)
    assert source.graph is not None
    assert not {node.op for node in source.graph} & {"Assert", "HistogramSummary"}
    assert any("nodes were dropped" in note for note in source.notes)


def test_open_batch_is_fixed_to_one_with_a_note(frozen_pb: Path) -> None:
    source = load(frozen_pb)
    assert source.graph is not None
    assert source.graph.inputs[0].shape == (1, 4)
    assert source.graph.outputs[0].shape == (1, 3)
    assert any("fixed to 1 (1x4)" in note for note in source.notes)


def test_asked_batch_is_kept(frozen_pb: Path) -> None:
    source = load(frozen_pb, input_shape=["5x4"])
    assert source.graph is not None
    assert source.graph.outputs[0].shape == (5, 3)


def test_cutting_inside_makes_a_placeholder_of_the_same_name(
    tf: Any, frozen_pb: Path, answers: Callable[..., Any]
) -> None:
    source = load(frozen_pb, input=["hidden"], output=["y:0"])
    assert source.graph is not None
    assert source.graph.nodes["hidden"].op == "Placeholder"
    assert source.graph.inputs[0].shape == (1, 3)
    assert source.graph.outputs[0].ref == TensorRef("y")
    assert "x" not in source.graph.nodes
    hidden = np.array([[0.5, 2.0, 0.0]], np.float32)
    expected = reference(tf, frozen_pb, "y:0", {"hidden:0": hidden})
    np.testing.assert_allclose(answers(source, hidden)[0], expected, atol=1e-6)


def test_output_inside_drops_what_follows(frozen_pb: Path) -> None:
    source = load(frozen_pb, output=["hidden"])
    assert source.graph is not None
    assert "y" not in source.graph.nodes
    assert not any("guessed" in note for note in source.notes)


def test_text_graph_is_the_same_model(tf: Any, frozen_pb: Path, answers: Callable[..., Any]) -> None:
    text = frozen_pb.with_suffix(".pbtxt")
    text.write_text(str(tf.compat.v1.GraphDef.FromString(frozen_pb.read_bytes())))
    source = load(text)
    assert source.format == "frozen-graph"
    assert "(text)" in source.summary
    np.testing.assert_array_equal(answers(source, X)[0], answers(load(frozen_pb), X)[0])


def test_wrong_node_suggests_near_names(frozen_pb: Path) -> None:
    with pytest.raises(ModelError, match="no node called 'hiden'") as caught:
        load(frozen_pb, input=["hiden"], output=["y"])
    assert "--input hidden" in caught.value.fixes


def test_shape_that_contradicts_the_model_is_refused(frozen_pb: Path) -> None:
    with pytest.raises(ModelError, match="cannot have the shape 1x5") as caught:
        load(frozen_pb, input_shape=["1x5"])
    assert caught.value.fixes


@pytest.mark.parametrize("text", ["1x", "axb", "0x4", "=1x4", "1 4", "-1x4"])
def test_shape_that_is_no_shape_is_a_usage_error(frozen_pb: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(frozen_pb, input_shape=[text])
    assert "--input-shape 1x224x224x3" in caught.value.fixes


def test_shape_of_an_unknown_input_names_the_inputs(frozen_pb: Path) -> None:
    with pytest.raises(UsageError, match="'z'") as caught:
        load(frozen_pb, input_shape=["z=1x4"])
    assert caught.value.fixes == ("--input-shape x=1x4",)


def write(tf: Any, path: Path, build: Callable[[Any], None]) -> Path:
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_open_spatial_dimension_asks_for_input_shape(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        tf.nn.relu(v1.placeholder(tf.float32, [None, None, None, 3], name="image"), name="y")

    path = write(tf, tmp_path / "open.pb", build)
    with pytest.raises(ModelError, match="no fixed shape") as caught:
        load(path)
    assert caught.value.fixes == ("--input-shape image=1x224x224x3",)
    source = load(path, input_shape=["image=1x32x48x3"])
    assert source.graph is not None
    assert source.graph.outputs[0].shape == (1, 32, 48, 3)


def test_scalar_input_is_spelled_scalar(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    path = write(
        tf,
        tmp_path / "scalar.pb",
        lambda v1: tf.add(v1.placeholder(tf.float32, name="x"), 1.0, name="y"),
    )
    assert answers(load(path, input_shape=["x=scalar"]), np.float32(2.0))[0] == 3.0


def test_phase_placeholders_become_constants_of_inference(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    def build(v1: Any) -> None:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        keep = v1.placeholder(tf.float32, [], name="dense/keep_prob")
        phase = v1.placeholder(tf.bool, [], name="is_training")
        tf.where(phase, x * 100.0, x * keep, name="y")

    source = load(write(tf, tmp_path / "phase.pb", build))
    assert source.graph is not None
    assert [spec.key for spec in source.graph.inputs] == ["x"]
    assert any("'dense/keep_prob' only tells training from inference; it is fixed to 1" in n for n in source.notes)
    np.testing.assert_array_equal(answers(source, [[3.0, 4.0]])[0], [[3.0, 4.0]])


def test_several_inputs_and_outputs_keep_their_names(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        a, b = (v1.placeholder(tf.float32, [None, 2], name=name) for name in "ab")
        tf.add(a, b, name="plus")
        tf.subtract(a, b, name="minus")

    source = load(write(tf, tmp_path / "two.pb", build), input_shape=["a=3x2", "b=3x2"])
    assert source.graph is not None
    assert [(spec.key, spec.shape) for spec in source.graph.inputs] == [("a", (3, 2)), ("b", (3, 2))]
    assert [spec.key for spec in source.graph.outputs] == ["plus", "minus"]


def test_inputs_that_are_not_enough_name_the_missing_one(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        a, b = (v1.placeholder(tf.float32, [1, 2], name=name) for name in "ab")
        tf.add(a, b, name="plus")

    with pytest.raises(ModelError, match="not enough") as caught:
        load(write(tf, tmp_path / "two.pb", build), input=["a"])
    assert caught.value.fixes == ("Add --input b",)


def test_input_that_no_output_needs_is_refused(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        a = v1.placeholder(tf.float32, [1, 2], name="a")
        tf.nn.relu(tf.nn.relu(a, name="first"), name="second")

    with pytest.raises(ModelError, match="'second'"):
        load(write(tf, tmp_path / "chain.pb", build), input=["second"], output=["first"])


def test_cutting_at_a_second_output_keeps_the_first(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    def build(v1: Any) -> None:
        x = v1.placeholder(tf.float32, [1, 4], name="x")
        left, right = tf.split(x, 2, axis=1, name="halves")
        tf.add(left, right, name="y")

    path = write(tf, tmp_path / "split.pb", build)
    source = load(path, input=["halves:1", "x"], output=["y"])
    assert [spec.key for spec in (source.graph.inputs if source.graph else ())] == ["halves:1", "x"]
    np.testing.assert_array_equal(answers(source, [[10.0, 20.0]], [[1.0, 2.0, 3.0, 4.0]])[0], [[11.0, 22.0]])


def test_old_control_flow_still_answers(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    def build(v1: Any) -> None:
        x = v1.placeholder(tf.float32, [1, 2], name="x")
        v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 2.0 + 1.0), [0, x], name="loop")

    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    try:
        path = write(tf, tmp_path / "loop.pb", build)
    finally:
        v1.enable_control_flow_v2()
    source = load(path, output=["loop/Exit_1"])
    np.testing.assert_array_equal(answers(source, [[1.0, 0.0]])[0], [[15.0, 7.0]])


def test_functional_loop_keeps_its_functions(tf: Any, tmp_path: Path, answers: Callable[..., Any]) -> None:
    @tf.function(input_signature=[tf.TensorSpec([1, 2], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 2.0), [0, x])[1]

    path = tmp_path / "while.pb"
    path.write_bytes(loop.get_concrete_function().graph.as_graph_def().SerializeToString())
    source = load(path)
    assert source.graph is not None
    assert source.graph.library
    np.testing.assert_array_equal(answers(source, [[1.0, 2.0]])[0], [[8.0, 16.0]])


def test_hash_table_is_refused_with_the_node_to_cut_at(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        words = v1.placeholder(tf.string, [1], name="words")
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1.0]), -1.0)
        tf.identity(table.lookup(words) * 2.0, name="y")

    path = write(tf, tmp_path / "table.pb", build)
    with pytest.raises(UnsupportedError, match="lookup table") as caught:
        load(path)
    node = caught.value.fixes[0].split("--input ")[1].rstrip(".")
    assert "LookupTableFind" in node
    assert load(path, input=[node], input_shape=["1"]).graph is not None


def test_input_pipeline_is_refused_with_the_node_to_cut_at(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        queue = v1.FIFOQueue(3, [tf.float32], shapes=[[1, 4]])
        tf.nn.relu(queue.dequeue(name="dequeue"), name="y")

    path = write(tf, tmp_path / "queue.pb", build)
    with pytest.raises(UnsupportedError, match="input pipeline") as caught:
        load(path, output=["y"])
    assert caught.value.fixes == ("Cut the graph behind it: --input dequeue.",)
    assert load(path, output=["y"], input=["dequeue"], input_shape=["1x4"]).graph is not None


def test_string_input_gets_advice_where_to_cut(tf: Any, tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        content = v1.placeholder(tf.string, [], name="file")
        tf.nn.relu(tf.cast(tf.io.decode_raw(content, tf.uint8, name="bytes"), tf.float32), name="y")

    source = load(write(tf, tmp_path / "string.pb", build))
    assert source.notes[-1].endswith("cut the graph behind it: --input bytes.")


def test_unknown_operation_is_named_with_its_node(tf: Any, tmp_path: Path) -> None:
    path = tmp_path / "strange.pb"
    graph_def = tf.compat.v1.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph_def.node.add(name="odd", op="MyCompanyOp", input=["x"])
    graph_def.node.add(name="y", op="Relu", input=["odd"]).attr["T"].type = 1
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsupportedError) as caught:
        load(path)
    assert "MyCompanyOp (node 'odd')" in caught.value.why
    assert load(path, input=["odd"], input_shape=["1x3"]).graph is not None


def test_the_file_is_not_changed_and_hashes_the_same(frozen_pb: Path) -> None:
    before = frozen_pb.read_bytes()
    assert load(frozen_pb).sha256 == load(frozen_pb).sha256
    assert frozen_pb.read_bytes() == before
