"""GraphDef to Graph and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmobile.errors import ModelError
from tfmobile.graph.graphdef import from_graph_def, serialize, to_graph_def
from tfmobile.graph.model import DType, RawAttr, ShapeAttr, TensorRef, TensorSpec


def _canonical(proto: Any) -> tuple[Any, ...]:
    """What a GraphDef means, without the order of maps or the encoding of tensors."""
    import tensorflow as tf

    nodes = {}
    for node in proto.node:
        attrs: dict[str, Any] = {}
        for key, value in node.attr.items():
            if key in ("_class", "_output_shapes"):
                continue
            attrs[key] = value.SerializeToString(deterministic=True)
            if value.WhichOneof("value") == "tensor":
                array = tf.make_ndarray(value.tensor)
                attrs[key] = (array.dtype, array.shape, array.tolist() if array.dtype == object else array.tobytes())
        nodes[node.name] = (node.op, [text.removesuffix(":0") for text in node.input], node.device, attrs)
    return nodes, proto.library.SerializeToString(deterministic=True), proto.versions.producer


def _const_graph(value: Any, dtype: Any = None) -> Any:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.constant(value, dtype=dtype, name="c")
    return graph.as_graph_def()


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([[1.5, -0.0], [2.5, 3.5]], "float32"),
        ([1.5, 2.5], "bfloat16"),
        ([1.5, 2.5], "float16"),
        ([1.5, 2.5], "float64"),
        ([True, False], "bool"),
        ([1 + 2j, 3 - 1j], "complex64"),
        ([b"one", b"\xff\x00"], "string"),
        ([-128, 127], "int8"),
        ([2**63], "uint64"),
        (7, "int32"),
        (np.zeros((0, 3), "float32"), "float32"),
        (np.full((50, 50), 0.25, "float32"), "float32"),
        (np.full((50, 50), 1.5, "float32"), "bfloat16"),
        (np.full((4, 5), 1 + 2j, "complex128"), "complex128"),
    ],
)
def test_constants_of_every_dtype_survive(value: Any, dtype: str) -> None:
    import tensorflow as tf

    proto = _const_graph(value, dtype)
    expected = tf.make_ndarray(proto.node[0].attr["value"].tensor)
    graph = from_graph_def(proto.SerializeToString())
    found = graph.nodes["c"].value
    assert found is not None
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist()
    again = tf.make_ndarray(to_graph_def(graph).node[0].attr["value"].tensor)
    assert again.shape == expected.shape
    assert again.tolist() == expected.tolist()


def test_a_fill_of_one_value_stays_small_in_memory_and_on_disk() -> None:
    proto = _const_graph(np.full((1000, 1000), 3.0, "float32"))
    graph = from_graph_def(proto)
    full = np.full((1000, 1000), 3.0, "float32")
    assert len(serialize(graph)) < 200
    node = graph.nodes["c"]
    again = from_graph_def(serialize(graph)).nodes["c"].value
    assert again is not None
    assert again.strides == (0, 0)
    np.testing.assert_array_equal(again, full)
    assert node.attrs["dtype"] == DType("float32")


def test_constants_cannot_be_written_to() -> None:
    value = from_graph_def(_const_graph([1.0, 2.0])).nodes["c"].value
    assert value is not None
    with pytest.raises(ValueError, match="read-only"):
        value[0] = 5.0


def test_attributes_become_plain_values_and_the_rest_stays_raw() -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3), name="x")
        y = tf.nn.max_pool2d(x, 2, 2, "SAME", name="pool")
        with tf.control_dependencies([y]):
            tf.identity(x, name="after")
        tf.raw_ops.StatelessIf(
            cond=True,
            input=[x],
            Tout=[tf.float32],
            then_branch=_branch(tf),
            else_branch=_branch(tf),
            name="if",
        )
    proto = graph.as_graph_def()
    read = from_graph_def(proto)
    assert read.nodes["x"].attrs["shape"] == ShapeAttr((None, 8, 8, 3))
    assert read.nodes["pool"].attrs["ksize"] == (1, 2, 2, 1)
    assert read.nodes["pool"].attrs["padding"] == b"SAME"
    assert "pool" in read.nodes["after"].controls
    assert isinstance(read.nodes["if"].attrs["then_branch"], RawAttr)
    assert read.library
    assert _canonical(to_graph_def(read)) == _canonical(proto)


def _branch(tf: Any) -> Any:
    return tf.function(lambda value: value * 2.0).get_concrete_function(tf.TensorSpec((None, 8, 8, 3)))


def test_an_edge_to_nowhere_is_a_damaged_graph() -> None:
    proto = _const_graph([1.0])
    proto.node.add(name="y", op="Identity", input=["gone"])
    with pytest.raises(ModelError, match="damaged") as found:
        from_graph_def(proto)
    assert "'y' reads 'gone'" in found.value.why
    assert found.value.fixes


def test_bytes_that_are_no_graphdef_are_a_model_error() -> None:
    with pytest.raises(ModelError):
        from_graph_def(b"\xff\xfe not a graph")


def test_an_output_that_does_not_exist_is_named() -> None:
    spec = TensorSpec("y", TensorRef("nothing"), "float32", None)
    with pytest.raises(ModelError, match="no node 'nothing'"):
        from_graph_def(_const_graph([1.0]), (), [spec])


def test_every_foreign_graph_round_trips_and_serializes_the_same_twice(shared: Path) -> None:
    from tensorflow.core.framework import graph_pb2

    files = sorted((shared / "foreign_graphs").glob("*.pb"))
    assert len(files) >= 174
    for file in files:
        content = file.read_bytes()
        once = serialize(from_graph_def(content))
        expected = _canonical(graph_pb2.GraphDef.FromString(content))
        assert _canonical(graph_pb2.GraphDef.FromString(once)) == expected, file.name
        assert serialize(from_graph_def(once)) == once, file.name


def test_an_attribute_without_a_value_is_dropped() -> None:
    from tensorflow.core.framework import graph_pb2

    proto = graph_pb2.GraphDef()
    node = proto.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = 1
    node.attr["shape"].SetInParent()
    assert set(from_graph_def(proto).nodes["x"].attrs) == {"dtype"}


def test_bytes_are_read_node_by_node_wherever_the_other_fields_stand() -> None:
    from tensorflow.core.framework import graph_pb2

    first, last = graph_pb2.GraphDef(), graph_pb2.GraphDef()
    first.node.add(name="a", op="NoOp")
    first.library.function.add().signature.name = "f"
    last.node.add(name="b", op="NoOp", input=["^a"])
    last.versions.producer = 7
    old_version = b"\x18\x03"  # GraphDef.version, which graphs of 2015 carry
    graph = from_graph_def(first.SerializeToString() + old_version + last.SerializeToString())
    assert list(graph.nodes) == ["a", "b"]
    assert graph.producer == 7
    assert b"f" in graph.library


def test_bytes_cut_anywhere_are_a_model_error_or_fewer_nodes() -> None:
    from tensorflow.core.framework import graph_pb2

    proto = graph_pb2.GraphDef()
    proto.node.add(name="a", op="NoOp")
    proto.node.add(name="b", op="NoOp")
    content = proto.SerializeToString()
    whole = {0: 0, len(content) // 2: 1, len(content): 2}
    for size in range(len(content) + 1):
        if size in whole:
            assert len(from_graph_def(content[:size])) == whole[size]
        else:
            with pytest.raises(ModelError):
                from_graph_def(content[:size])
