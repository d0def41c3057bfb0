"""``inspect_graph`` on small graphs whose numbers can be counted by hand."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.inspection.graphs import FLOAT, Nodes
from tfmobile.artifacts import SourceModel
from tfmobile.errors import UsageError
from tfmobile.graph.model import DType
from tfmobile.inspection import inspect_graph, to_dict
from tfmobile.inspection.facts import BatchNorms
from tfmobile.passes.fold_batch_norms import FoldBatchNorms


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


def folded(source: SourceModel) -> BatchNorms:
    assert source.graph is not None
    return inspect_graph(source, folded=FoldBatchNorms().apply(source.graph)).batch_norms


@pytest.mark.parametrize("bias", [False, True])
def test_a_fused_batch_norm_after_a_convolution_folds(bias: bool) -> None:
    nodes = Nodes()
    before = nodes.convolution("c", "x", 3, 3, 3, 16)
    if bias:
        before = nodes.binary("b", "BiasAdd", before, nodes.constant("bias", 16))
    nodes.norm("y", before, 16)
    norms = folded(nodes.source("y"))
    assert (norms.total, norms.foldable, norms.kept) == (1, 1, ())


def test_a_decomposed_batch_norm_after_a_convolution_folds() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 16)
    scale = nodes.unary("rsqrt", "Rsqrt", nodes.constant("variance", 16))
    shift = nodes.binary("shift", "Mul", nodes.constant("mean", 16), "rsqrt")
    nodes.binary("y", "AddV2", nodes.binary("scaled", "Mul", "c", scale), shift)
    norms = folded(nodes.source("y"))
    assert (norms.total, norms.foldable) == (1, 1)


def test_a_product_and_a_sum_that_follow_no_layer_are_no_batch_norm() -> None:
    nodes = Nodes()
    nodes.binary("scaled", "Mul", nodes.unary("r", "Relu", "x"), nodes.constant("scale", 3))
    nodes.binary("y", "AddV2", "scaled", nodes.constant("shift", 3))
    norms = folded(nodes.source("y"))
    assert (norms.total, norms.foldable, norms.kept) == (0, 0, ())


def test_a_batch_norm_that_does_not_fold_says_why() -> None:
    nodes = Nodes()
    nodes.norm("training", nodes.convolution("c", "x", 3, 3, 3, 16), 16, training=True)
    nodes.norm("alone", nodes.unary("r", "Relu", "training"), 16)
    nodes.unary("y", "Relu", "alone")
    norms = folded(nodes.source("y"))
    assert (norms.total, norms.foldable) == (2, 0)
    assert [reason.partition(":")[0] for reason in norms.kept] == ["training", "alone"]
    assert "is_training" in norms.kept[0]
    assert "follows 'r' (Relu)" in norms.kept[1]


def test_whether_batch_norms_fold_is_not_known_where_it_was_not_tried() -> None:
    nodes = Nodes()
    nodes.norm("y", nodes.convolution("c", "x", 3, 3, 3, 16), 16)
    norms = inspect_graph(nodes.source("y")).batch_norms
    assert (norms.total, norms.foldable) == (1, None)


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


def test_an_op_that_tensorflow_does_not_have_costs_the_shapes_behind_it() -> None:
    nodes = Nodes()
    nodes.convolution("c", "x", 3, 3, 3, 16)
    nodes.unary("odd", "NoSuchOp", "c")
    nodes.convolution("y", "odd", 1, 1, 16, 4)
    found = inspect_graph(nodes.source("y"))
    assert found.parameters == 432 + 64
    assert found.macs == 8 * 8 * 432
    assert [(layer.name, layer.macs is None) for layer in found.layers] == [("c", False), ("y", True)]
    assert any("'odd' (NoSuchOp)" in note for note in found.notes)
    assert any("not counted" in note for note in found.notes)
    assert [(group.op, group.count) for group in found.not_convertible] == [("NoSuchOp", 1)]


def test_operators_carry_what_all_of_a_kind_own() -> None:
    nodes = Nodes()
    nodes.convolution("a", "x", 1, 1, 3, 4)
    nodes.convolution("y", nodes.unary("r", "Relu", "a"), 1, 1, 4, 2)
    ops = {one.op: one for one in inspect_graph(nodes.source("y")).ops}
    assert (ops["Conv2D"].count, ops["Conv2D"].parameters, ops["Conv2D"].macs) == (2, 20, 8 * 8 * 20)
    assert (ops["Relu"].count, ops["Relu"].parameters, ops["Relu"].macs) == (1, 0, 0)


def test_the_structure_lists_every_node_in_order_when_asked_for() -> None:
    nodes = Nodes()
    nodes.convolution("y", "x", 1, 1, 3, 4)
    nodes.constant("unused", 3)
    assert inspect_graph(nodes.source("y")).structure == ()
    found = {fact.name: fact for fact in inspect_graph(nodes.source("y"), structure=True).structure}
    assert list(found)[-1] == "y"
    assert (found["y"].op, found["y"].inputs, found["y"].shape) == ("Conv2D", ("x", "y/kernel"), (1, 8, 8, 4))
    assert found["y/kernel"].detail.startswith("float32[1,1,3,4]")
    assert "unused" not in found


def test_the_command_can_be_pasted() -> None:
    nodes = Nodes()
    nodes.unary("y", "Relu", "x")
    bare = inspect_graph(nodes.source("y", path="my model.pb")).command
    assert shlex.split(bare)[:7] == ["tfmobile", "optimize", "my model.pb", "--input", "x", "--output", "y"]
    fields = {"format": "saved-model", "signature": "b", "signatures": ("a", "b")}
    signed = inspect_graph(nodes.source("y", path="dir", **fields)).command
    assert shlex.split(signed)[:5] == ["tfmobile", "optimize", "dir", "--signature", "b"]


def test_the_command_cuts_behind_what_does_not_convert() -> None:
    nodes = Nodes((4, 4, 4, 3))
    nodes.unary("front", "Erfc", nodes.unary("first", "Digamma", "x"))
    nodes.convolution("y", "front", 3, 3, 3, 8)
    found = inspect_graph(nodes.source("y"))
    assert shlex.split(found.command)[3:7] == ["--input", "front", "--output", "y"]
    assert any("cut behind" in note for note in found.notes)


def test_the_command_cuts_before_what_does_not_convert() -> None:
    nodes = Nodes((4, 4, 4, 3))
    nodes.convolution("layer", "x", 3, 3, 3, 8)
    nodes.unary("y", "Digamma", nodes.unary("r", "Relu", "layer"))
    found = inspect_graph(nodes.source("y"))
    assert shlex.split(found.command)[3:7] == ["--input", "x", "--output", "r"]


def test_a_graph_that_cannot_be_cut_keeps_its_command() -> None:
    nodes = Nodes((4, 4, 4, 3))
    nodes.convolution("first", "x", 3, 3, 3, 8)
    nodes.convolution("y", nodes.unary("odd", "Digamma", "first"), 3, 3, 8, 3)
    assert shlex.split(inspect_graph(nodes.source("y")).command)[3:7] == ["--input", "x", "--output", "y"]


def test_the_other_command_only_simplifies_the_graph() -> None:
    nodes = Nodes()
    nodes.unary("y", "Relu", "x")
    words = shlex.split(inspect_graph(nodes.source("y")).transform_command)
    assert words[:3] == ["tfmobile", "transform", "model.pb"]
    assert "fold_batch_norms" in words[words.index("--passes") + 1]


def test_the_json_form_is_plain_and_versioned() -> None:
    nodes = Nodes()
    nodes.convolution("y", "x", 3, 3, 3, 16)
    values = json.loads(json.dumps(to_dict(inspect_graph(nodes.source("y")))))
    assert (values["schema_version"], values["kind"]) == (2, "graph")
    assert values["layers"][0]["macs"] == values["macs"]


def test_a_tflite_is_sent_to_the_other_function() -> None:
    with pytest.raises(UsageError):
        inspect_graph(SourceModel("m.tflite", "tflite", "", "0", 1, tflite=b""))
