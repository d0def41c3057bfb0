from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfmobile import runtime
from tfmobile.conversion import convert
from tfmobile.errors import UnsupportedError
from tfmobile.graph.graphdef import from_graph_def, serialize
from tfmobile.graph.model import Graph, Shape, TensorRef, TensorSpec

KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)


def traced(function: Callable[..., Any], *shapes: Shape, dtype: str = "float32") -> Graph:
    """The TF1-style graph of a function of placeholders ``in0``, ``in1`` …, with outputs ``out0`` …"""
    graph = tf.Graph()
    with graph.as_default():
        inputs = [tf.compat.v1.placeholder(dtype, shape, name=f"place{index}") for index, shape in enumerate(shapes)]
        results = function(*inputs)
        results = results if isinstance(results, tuple) else (results,)
    specs = [
        TensorSpec(f"in{i}", TensorRef.parse(x.name.removesuffix(":0")), dtype, shape)
        for i, (x, shape) in enumerate(zip(inputs, shapes, strict=True))
    ]
    outputs = [
        TensorSpec(f"out{i}", TensorRef(y.op.name, y.value_index), y.dtype.name, None) for i, y in enumerate(results)
    ]
    return from_graph_def(graph.as_graph_def(), specs, outputs)


def small() -> Graph:
    return traced(lambda x: tf.nn.relu(tf.nn.conv2d(x, KERNEL, 1, "SAME"), name="act"), (1, 8, 8, 3))


def test_the_signature_has_the_keys_of_the_graph() -> None:
    content = convert(small())
    described = runtime.describe(content)
    assert [(fact.name, fact.shape) for fact in described.inputs] == [("in0", (1, 8, 8, 3))]
    assert [fact.name for fact in described.outputs] == ["out0"]
    assert {op.kind for op in described.ops} == {"float"}


def test_the_answers_are_those_of_tensorflow() -> None:
    x = np.random.default_rng(1).normal(size=(1, 8, 8, 3)).astype(np.float32)
    found = runtime.open_interpreter(convert(small())).run({"in0": x})["out0"]
    expected = tf.nn.relu(tf.nn.conv2d(x, KERNEL, 1, "SAME")).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_same_graph_gives_the_same_bytes() -> None:
    assert convert(small()) == convert(small())


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "g.pb").write_bytes(serialize(small()))
    script = (
        "import sys, pathlib; from tfmobile.conversion import convert\n"
        "from tfmobile.graph.graphdef import from_graph_def\n"
        "from tfmobile.graph.model import TensorRef, TensorSpec\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "graph = from_graph_def((folder / 'g.pb').read_bytes(),"
        " [TensorSpec('in0', TensorRef('place0'), 'float32', (1, 8, 8, 3))],"
        " [TensorSpec('out0', TensorRef('act'), 'float32', None)])\n"
        "(folder / 'm.tflite').write_bytes(convert(graph))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
    assert (tmp_path / "m.tflite").read_bytes() == convert(small())


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    convert(small())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_the_spec_fixes_the_shape_of_a_placeholder() -> None:
    graph = traced(lambda x: tf.nn.relu(x), (None, 5))
    spec = TensorSpec("in0", graph.inputs[0].ref, "float32", (1, 5))
    fixed = Graph(graph.nodes, (spec,), graph.outputs, graph.library, graph.producer, graph.min_consumer)
    assert runtime.describe(convert(fixed)).inputs[0].shape == (1, 5)


def test_several_inputs_and_outputs_keep_their_keys() -> None:
    graph = traced(lambda a, b: (a - b, a, tf.nn.relu(b)), (1, 2), (1, 2))
    model = runtime.open_interpreter(convert(graph))
    a, b = np.array([[5, 6]], np.float32), np.array([[1, -1]], np.float32)
    found = model.run({"in0": a, "in1": b})
    assert {key: value.tolist() for key, value in found.items()} == {
        "out0": [[4, 7]],
        "out1": [[5, 6]],
        "out2": [[1, 0]],
    }


def test_two_keys_for_one_tensor_both_work() -> None:
    def twice(x: Any) -> Any:
        y = tf.nn.relu(x)
        return y, y

    found = runtime.open_interpreter(convert(traced(twice, (1, 2)))).run({"in0": np.ones((1, 2), np.float32)})
    assert set(found) == {"out0", "out1"}


def test_channels_first_graphs_convert_or_say_so() -> None:
    graph = traced(lambda x: tf.nn.conv2d(x, KERNEL, 1, "SAME", data_format="NCHW"), (1, 3, 8, 8))
    x = np.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(np.float32)
    found = runtime.open_interpreter(convert(graph)).run({"in0": x})["out0"]
    expected = tf.nn.conv2d(x.transpose(0, 2, 3, 1), KERNEL, 1, "SAME").numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_an_op_without_a_builtin_is_named_with_its_node() -> None:
    graph = traced(lambda x: tf.linalg.inv(x, name="block/inverse"), (4, 4))
    with pytest.raises(UnsupportedError) as caught:
        convert(graph)
    assert "MatrixInverse" in caught.value.what
    assert "block/inverse" in caught.value.why
    assert "--output" in caught.value.fixes[0]


def test_a_float64_input_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="'in0' is float64"):
        convert(traced(lambda x: x * 2, (2, 2), dtype="float64"))


def test_float64_inside_is_explained() -> None:
    graph = traced(lambda x: tf.linalg.matmul(tf.cast(x, tf.float64), np.eye(2)), (2, 2))
    with pytest.raises(UnsupportedError) as caught:
        convert(graph)
    assert "float64" in caught.value.why


def test_an_input_of_unknown_rank_asks_for_its_shape() -> None:
    with pytest.raises(UnsupportedError) as caught:
        convert(traced(lambda x: tf.nn.relu(x), None))
    assert "--input-shape in0=" in caught.value.fixes[0]


def test_a_hash_table_is_explained() -> None:
    def table(x: Any) -> Any:
        values = tf.lookup.KeyValueTensorInitializer(["a"], [1])
        return tf.raw_ops.LookupTableFindV2(
            table_handle=tf.lookup.StaticHashTable(values, 0).resource_handle, keys=x, default_value=0
        )

    with pytest.raises(UnsupportedError) as caught:
        convert(traced(table, (1,), dtype="string"))
    assert caught.value.fixes


def test_an_op_that_tensorflow_does_not_know_is_named() -> None:
    graph = small()
    nodes = dict(graph.nodes)
    node = nodes["act"]
    nodes["act"] = type(node)(name="act", op="SomebodysOwnOp", inputs=node.inputs, attrs={})
    broken = Graph(nodes, graph.inputs, graph.outputs, graph.library, graph.producer, graph.min_consumer)
    with pytest.raises(UnsupportedError) as caught:
        convert(broken)
    assert "SomebodysOwnOp" in caught.value.what
    assert "act" in caught.value.why


@pytest.mark.slow
def test_a_real_model_converts_to_what_the_graph_answers(shared: Path) -> None:
    folder = shared / "models/mobilenet_v1_0.25_224"
    graph = from_graph_def(
        (folder / "frozen.pb").read_bytes(),
        [TensorSpec("image", TensorRef("input_2"), "float32", (1, 224, 224, 3))],
        [TensorSpec("scores", TensorRef("predictions/Softmax"), "float32", (1, 1000))],
    )
    found = runtime.load_test(convert(graph))
    assert found.outputs_finite
