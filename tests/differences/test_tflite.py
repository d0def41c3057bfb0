"""Two .tflite files, and a graph against one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.differences.models import fields, of_graph, of_tflite
from tests.runtime.tiny import Builder, add_one, crashing, quantized_relu
from tfmobile.differences import diff_models
from tfmobile.errors import ModelError
from tfmobile.graph.text_parser import parse_graph
from tfmobile.runtime import flatbuffer

NAMES = "net/Relu;net/BiasAdd;net/MatMul1"


def dense(
    *, dtype: str = "float32", weight: float = 1.0, names: tuple[str, str] = (NAMES, "net/Softmax"), relu: bool = True
) -> bytes:
    """softmax(relu(x · w + b)); int8 weights and activations with ``dtype``, whose scales suit −2 … 2."""
    build = Builder()
    scale = {} if dtype == "float32" else {"scale": 4 / 255}
    values = np.array([[weight, -1.0], [0.5, 1.5]])
    stored = values if dtype == "float32" else np.round(values / scale["scale"])
    x = build.tensor("x", [1, 2], dtype, **scale)
    w = build.tensor("net/MatMul", [2, 2], dtype, value=stored, **scale)
    bias = {"scale": scale["scale"] ** 2} if scale else {}
    b = build.tensor(
        NAMES[:-1], [2], "int32" if scale else "float32", value=np.zeros(2) if scale else [0.5, 0.25], **bias
    )
    h = build.tensor(names[0], [1, 2], dtype, **scale)
    soft = {"scale": 1 / 256, "zero_point": -128} if scale else {}
    y = build.tensor(names[1], [1, 2], dtype, **soft)
    options: Any = build.schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = build.schema.ActivationFunctionType.RELU if relu else 0
    softmax: Any = build.schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    build.operator("FULLY_CONNECTED", [x, w, b], [h], options)
    build.operator("SOFTMAX", [h], [y], softmax)
    return flatbuffer.write(build.model([x], [y]))


GRAPH = """
input x: float32[1,2] = x
output probs: float32[1,2] = net/Softmax
x = Placeholder {dtype=float32, shape=[1,2]}
w = Const float32[2,2] (1.0, 0.5, -1.0, 1.5)
net/MatMul = MatMul(x, w) {T=float32, transpose_a=false, transpose_b=false}
b = Const float32[2] (0.5, 0.25)
net/BiasAdd = BiasAdd(net/MatMul, b) {T=float32, data_format="NHWC"}
net/Relu = Relu(net/BiasAdd) {T=float32}
net/Softmax = Softmax(net/Relu) {T=float32}
"""


def test_equal_files_under_two_names_are_the_same() -> None:
    diff = diff_models(of_tflite(dense()), of_tflite(dense()))
    assert diff.structure.same
    assert diff.outputs_agree
    assert [gap.op for gap in diff.numbers.tensors] == ["FULLY_CONNECTED", "SOFTMAX"]


def test_weights_belong_to_the_operator_that_reads_them() -> None:
    diff = diff_models(of_tflite(dense()), of_tflite(dense(weight=1.25)))
    (node,) = diff.structure.changed
    assert (node.op, [field.what for field in node.fields]) == ("FULLY_CONNECTED", ["input 1"])
    assert node.fields[0].max_abs == pytest.approx(0.25)
    first = diff.numbers.first
    assert first is not None
    assert first.tensor.op == "FULLY_CONNECTED"
    assert first.facts[0].startswith("Its constant input 1 moved by up to 0.25")
    assert first.facts[1] == "Its input 'x' is what both were fed."


def test_options_are_told_by_name() -> None:
    diff = diff_models(of_tflite(dense()), of_tflite(dense(relu=False)))
    assert fields(diff) == {NAMES: ["fusedActivationFunction: RELU → NONE"]}


def test_a_quantized_file_is_compared_as_the_real_values_it_stands_for() -> None:
    diff = diff_models(of_tflite(dense()), of_tflite(dense(dtype="int8")), tolerance=1e-3)
    found = {field.what: (field.before, field.after) for field in diff.structure.changed[0].fields}
    assert found["output type"] == ("float32", "int8")
    assert found["output quantization"] == ("absent", "scale 0.0156863, zero point 0")
    assert found["input 1"][1].startswith("int8[2,2]")
    assert found["input 1 quantization"] == ("absent", "scale 0.0156863, zero point 0")
    assert diff.numbers.first is not None
    assert all(gap.snr_db is not None and gap.snr_db > 5 for gap in diff.numbers.tensors)


def test_random_samples_fill_the_range_of_a_quantized_input() -> None:
    one, other = quantized_relu(scale=0.5), quantized_relu(scale=0.25)
    gap = diff_models(of_tflite(one), of_tflite(other)).numbers.outputs[0]
    assert gap.max_abs is not None
    assert gap.max_abs > 10, "the second saturates at (127 − 3) / 4 where the first goes on to (127 − 3) / 2"


def test_operators_under_other_names_are_matched_by_what_they_do() -> None:
    diff = diff_models(of_tflite(dense()), of_tflite(dense(dtype="int8", names=("other/Relu", "other/Softmax"))))
    assert not diff.structure.only_a
    assert not diff.structure.only_b
    assert {node.other for node in diff.structure.changed} == {"other/Relu", "other/Softmax"}
    assert len(diff.numbers.tensors) == 2


def test_operators_are_matched_by_the_node_they_end_with() -> None:
    renamed = dense(names=("net/Relu;net/MatMul/folded;net/folded_bias1", "net/Softmax"))
    diff = diff_models(of_tflite(dense()), of_tflite(renamed))
    assert diff.structure.matched == 2
    assert [node.other for node in diff.structure.renamed] == ["net/Relu;net/MatMul/folded;net/folded_bias1"]


def test_a_graph_is_matched_by_the_names_in_the_tensors_names() -> None:
    diff = diff_models(of_graph(parse_graph(GRAPH)), of_tflite(dense()))
    assert diff.structure.matched == 2
    assert diff.structure.only_a == diff.structure.only_b == ()
    assert [(gap.name, gap.other) for gap in diff.numbers.tensors] == [
        ("net/Relu", NAMES),
        ("net/Softmax", "net/Softmax"),
    ]
    assert diff.outputs_agree
    assert diff.numbers.first is None


def test_a_tflite_comes_first_as_well() -> None:
    diff = diff_models(of_tflite(dense(weight=2.0)), of_graph(parse_graph(GRAPH)))
    assert diff.structure.matched == 2
    first = diff.numbers.first
    assert first is not None
    assert (first.tensor.name, first.tensor.other, first.tensor.op) == (NAMES, "net/Relu", "Relu")
    assert first.facts == ("'x', before it, is what both were fed.",)


def test_a_shared_name_that_stands_for_something_else_is_no_divergence() -> None:
    misnamed = dense(names=("net/BiasAdd", "net/Softmax"))  # it holds what comes after the Relu
    diff = diff_models(of_graph(parse_graph(GRAPH)), of_tflite(misnamed))
    assert diff.outputs_agree
    assert diff.numbers.first is None
    assert [gap.name for gap in diff.numbers.tensors] == ["net/Softmax"]
    assert any("another value goes by their name" in note for note in diff.notes)


def test_operators_and_nodes_without_a_counterpart_are_listed() -> None:
    drop = "drop = Identity(net/Relu) {T=float32}\nnet/Softmax ="
    text = GRAPH.replace("net/Softmax =", drop).replace("Softmax(net/Relu)", "Softmax(drop)")
    diff = diff_models(of_graph(parse_graph(text)), of_tflite(dense(names=("strange", "net/Softmax"))))
    assert [node.name for node in diff.structure.only_a] == ["net/MatMul", "net/BiasAdd", "net/Relu", "drop"]
    assert [node.name for node in diff.structure.only_b] == ["strange"]


def test_a_file_that_crashes_the_runtime_is_told_and_takes_nothing_down() -> None:
    diff = diff_models(of_tflite(crashing(), "bad.tflite"), of_tflite(crashing(), "bad.tflite"))
    assert "'bad.tflite' crashed the runtime" in diff.numbers.reason
    assert any("insides of loops" in note for note in diff.notes)


def test_a_damaged_file_is_a_model_error() -> None:
    with pytest.raises(ModelError):
        diff_models(of_tflite(add_one()[:200]), of_tflite(add_one()))


def test_tensors_without_names_and_with_equal_ones_are_told_apart() -> None:
    def twice() -> bytes:
        build = Builder()
        x, h, y = build.tensor("x", [1, 4]), build.tensor("", [1, 4]), build.tensor("", [1, 4])
        build.operator("ABS", [x], [h])
        build.operator("NEG", [h], [y])
        return flatbuffer.write(build.model([x], [y]))

    diff = diff_models(of_tflite(twice()), of_tflite(twice()))
    assert [gap.op for gap in diff.numbers.tensors] == ["ABS", "NEG"]
    assert diff.outputs_agree
