"""``inspect_graph`` on small graphs whose numbers can be counted by hand."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.inspection.graphs import FLOAT, Nodes
from tfmobile.artifacts import SourceModel
from tfmobile.errors import UsageError
from tfmobile.graph.model import DType
from tfmobile.inspection import inspect_graph, to_dict


def test_parameters_and_macs_of_a_convolution_are_counted() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 16)
    nodes.unary("y", "Relu", "c")
    found = inspect_graph(nodes.source("y"))
    assert found.parameters == 3 * 3 * 3 * 16
    assert found.parameter_bytes == 4 * found.parameters
    assert found.macs == (8 * 8 * 16) * (3 * 3 * 3)
    assert [(layer.name, layer.shape) for layer in found.layers] == [("c", (1, 8, 8, 16))]
    assert found.inputs[0].shape == (1, 8, 8, 3)


def test_macs_of_a_depthwise_convolution_and_a_dense_layer_are_counted() -> None:
    nodes = Nodes()
    nodes.convolution("d", "x", 3, 3, 3, 2, op="DepthwiseConv2dNative")
    other = Nodes((1, 20))
    other.add("y", "MatMul", ["x", other.constant("w", 20, 5)], T=FLOAT)
    assert inspect_graph(nodes.source("d")).macs == (8 * 8 * 6) * 9
    assert inspect_graph(other.source("y")).macs == 100


def test_macs_of_a_transposed_convolution_are_those_of_its_input() -> None:
    import numpy as np

    nodes = Nodes()
    nodes.add("size", "Const", dtype=DType("int32"), value=np.array([1, 16, 16, 4], np.int32))
    inputs = ["size", nodes.constant("k", 2, 2, 4, 3), "x"]
    nodes.add("t", "Conv2DBackpropInput", inputs, T=FLOAT, strides=(1, 2, 2, 1), padding=b"VALID", data_format=b"NHWC")
    found = inspect_graph(nodes.source("t"))
    assert found.macs == (8 * 8 * 3) * (2 * 2 * 4)
    assert found.parameters == 48


def test_a_constant_that_two_nodes_read_counts_once() -> None:
    nodes = Nodes((1, 4))
    weights = nodes.constant("w", 4, 4)
    nodes.add("a", "MatMul", ["x", weights], T=FLOAT)
    nodes.add("y", "MatMul", ["a", weights], T=FLOAT)
    found = inspect_graph(nodes.source("y"))
    assert (found.parameters, found.macs) == (16, 32)
    assert [layer.parameters for layer in found.layers] == [16, 0]


def test_weights_behind_a_copy_or_an_expression_belong_to_the_layer_that_uses_them() -> None:
    nodes = Nodes((1, 4))
    product = nodes.binary("product", "Mul", nodes.constant("w", 4, 4), nodes.constant("scale", 4))
    nodes.add("y", "MatMul", ["x", nodes.unary("read", "Identity", product)], T=FLOAT)
    found = inspect_graph(nodes.source("y"))
    assert [(layer.name, layer.parameters) for layer in found.layers] == [("y", 20)]


def test_what_the_outputs_do_not_need_is_not_counted() -> None:
    nodes = Nodes()
    nodes.unary("y", "Relu", "x")
    nodes.convolution("unused", "x", 3, 3, 3, 16)
    found = inspect_graph(nodes.source("y"))
    assert (found.nodes, found.parameters) == (2, 0)


@pytest.mark.parametrize("bias", [False, True])
def test_a_fused_batch_norm_after_a_convolution_folds(bias: bool) -> None:
    nodes = Nodes()
    before = nodes.convolution("c", "x", 3, 3, 3, 16)
    if bias:
        before = nodes.binary("b", "BiasAdd", before, nodes.constant("bias", 16))
    nodes.norm("y", before, 16)
    norms = inspect_graph(nodes.source("y")).batch_norms
    assert (norms.total, norms.foldable, norms.kept) == (1, 1, ())


def test_a_decomposed_batch_norm_after_a_convolution_folds() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 16)
    scale = nodes.unary("rsqrt", "Rsqrt", nodes.constant("variance", 16))
    shift = nodes.binary("shift", "Mul", nodes.constant("mean", 16), "rsqrt")
    nodes.binary("y", "AddV2", nodes.binary("scaled", "Mul", "c", scale), shift)
    norms = inspect_graph(nodes.source("y")).batch_norms
    assert (norms.total, norms.foldable) == (1, 1)


def test_a_batch_norm_that_does_not_fold_says_why() -> None:
    nodes = Nodes()
    nodes.norm("training", nodes.convolution("c", "x", 3, 3, 3, 16), 16, training=True)
    nodes.norm("alone", nodes.unary("r", "Relu", "training"), 16)
    nodes.convolution("shared", "alone", 1, 1, 16, 16)
    nodes.norm("after_shared", "shared", 16)
    nodes.binary("y", "AddV2", "after_shared", "shared")
    norms = inspect_graph(nodes.source("y")).batch_norms
    assert (norms.total, norms.foldable) == (3, 0)
    assert [reason.partition(":")[0] for reason in norms.kept] == ["training", "alone", "after_shared"]
    assert "is_training" in norms.kept[0]
    assert "follows Relu" in norms.kept[1]
    assert "read elsewhere" in norms.kept[2]


def test_nodes_of_training_are_listed_with_what_they_are_for() -> None:
    nodes = Nodes()
    nodes.unary("stop", "StopGradient", nodes.unary("check", "Identity", "x"))
    nodes.unary("y", "Relu", "stop")
    found = inspect_graph(nodes.source("y"))
    assert {(group.op, group.example) for group in found.training_only} == {
        ("StopGradient", "stop"),
        ("Identity", "check"),
    }


def test_ops_without_a_tflite_builtin_are_listed_with_what_to_do() -> None:
    nodes = Nodes((4, 4))
    nodes.unary("y", "Cholesky", "x")
    found = inspect_graph(nodes.source("y"))
    assert [(group.op, group.count) for group in found.not_convertible] == [("Cholesky", 1)]
    assert "no TFLite builtin" in found.not_convertible[0].why


def test_an_op_that_tensorflow_does_not_have_costs_the_shapes_only() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 16)
    nodes.unary("y", "NoSuchOp", "c")
    found = inspect_graph(nodes.source("y"))
    assert found.parameters == 432
    assert any("NoSuchOp" in note for note in found.notes)
    assert any("not counted" in note for note in found.notes)
    assert found.layers[0].macs is None


def test_the_command_can_be_pasted() -> None:
    nodes = Nodes()
    nodes.unary("y", "Relu", "x")
    bare = inspect_graph(nodes.source("y", path="my model.pb")).command
    assert shlex.split(bare)[:7] == ["tfmobile", "optimize", "my model.pb", "--input", "x", "--output", "y"]
    fields = {"format": "saved-model", "signature": "b", "signatures": ("a", "b")}
    signed = inspect_graph(nodes.source("y", path="dir", **fields)).command
    assert shlex.split(signed)[:5] == ["tfmobile", "optimize", "dir", "--signature", "b"]


def test_the_json_form_is_plain_and_versioned() -> None:
    nodes = Nodes()
    nodes.convolution("y", "x", 3, 3, 3, 16)
    values = json.loads(json.dumps(to_dict(inspect_graph(nodes.source("y")))))
    assert (values["schema_version"], values["kind"]) == (1, "graph")
    assert values["layers"][0]["macs"] == values["macs"]


def test_a_tflite_is_sent_to_the_other_function() -> None:
    with pytest.raises(UsageError):
        inspect_graph(SourceModel("m.tflite", "tflite", "", "0", 1, tflite=b""))


@pytest.mark.slow
def test_real_models_have_their_published_size(shared: Path) -> None:
    from tfmobile.loading import load

    # Keras' own parameter counts; MACs of MobileNet V1 0.25 (41 M, arXiv:1704.04861) and MLPerf Tiny.
    expected = {
        "mobilenet_v1_0.25_224/frozen.pb": (475_544, 41.0e6, 27),
        "mobilenet_v1_0.25_224/saved_model_v1": (475_544, 41.0e6, 27),
        "mlperf_tiny/kws_ref_model": (24_908, 2.66e6, 9),
        "mlperf_tiny/resnet8_cifar10.h5": (78_666, 12.5e6, 7),
    }
    for name, (parameters, macs, norms) in expected.items():
        found = inspect_graph(load(shared / "models" / name))
        assert found.parameters == parameters, name
        assert found.macs == pytest.approx(macs, rel=0.01), name
        assert (found.batch_norms.total, found.batch_norms.foldable) == (norms, norms), name
