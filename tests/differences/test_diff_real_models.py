"""``diff`` on MobileNet V1: against what the passes and the converter make of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.differences.models import of_graph, of_tflite
from tfmobile.artifacts import SourceModel
from tfmobile.conversion import convert
from tfmobile.differences import diff_models
from tfmobile.graph.model import Graph
from tfmobile.loading import load
from tfmobile.passes import rewrite

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(shared: Path) -> SourceModel:
    return load(shared / "models" / "mobilenet_v1_0.25_224" / "frozen.pb")


@pytest.fixture(scope="module")
def original(source: SourceModel) -> Graph:
    assert source.graph is not None
    return source.graph


@pytest.fixture(scope="module")
def transformed(original: Graph) -> Graph:
    return rewrite(original).graph


@pytest.fixture(scope="module")
def int8(shared: Path) -> bytes:
    """What TensorFlow's own converter quantizes it to, calibrated on noise."""
    import tensorflow as tf

    converter: Any = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(shared / "models" / "mobilenet_v1_0.25_224" / "frozen.pb"),
        ["input_2"],
        ["predictions/Softmax"],
        {"input_2": [1, 224, 224, 3]},
    )
    noise = np.random.default_rng(0).uniform(-1, 1, (4, 1, 224, 224, 3)).astype("float32")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in noise)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


def test_the_passes_move_nothing_and_remove_what_they_fold(original: Graph, transformed: Graph) -> None:
    diff = diff_models(of_graph(original), of_graph(transformed))
    assert diff.outputs_agree
    assert diff.numbers.first is None
    assert len(diff.numbers.tensors) > 50
    gone = {node.op for node in diff.structure.only_a}
    assert "Identity" in gone
    assert {one.op: one.after for one in diff.structure.ops}["FusedBatchNormV3"] == 0
    turned = [node for node in diff.structure.changed if node.op == "FusedBatchNormV3"]
    assert len(turned) == 27


def test_one_changed_weight_is_where_they_part(original: Graph) -> None:
    nodes = dict(original.nodes)
    kernel = next(node for node in nodes.values() if node.value is not None and node.name == "conv_pw_5/kernel")
    value = np.array(kernel.value)
    value[0, 0, 0, 0] += 1.0
    nodes[kernel.name] = dataclasses.replace(kernel, attrs={**kernel.attrs, "value": value})
    diff = diff_models(of_graph(original), of_graph(dataclasses.replace(original, nodes=nodes)))
    first = diff.numbers.first
    assert first is not None
    assert (first.tensor.name, first.tensor.op) == ("conv_pw_5/Conv2D", "Conv2D")
    assert first.facts[0].startswith("It reads the constant 'conv_pw_5/kernel', which moved by up to 1 ")
    assert first.inputs_agree


def test_the_float_tflite_answers_like_the_graph_at_every_operator(original: Graph, transformed: Graph) -> None:
    diff = diff_models(of_graph(original), of_tflite(convert(transformed)))
    assert diff.structure.matched == len(diff.numbers.tensors) == 31
    assert diff.structure.only_b == ()
    assert diff.outputs_agree
    assert diff.numbers.first is None


def test_an_int8_tflite_shows_its_noise_by_layer(original: Graph, int8: bytes) -> None:
    diff = diff_models(of_graph(original), of_tflite(int8))
    noise = [gap.snr_db for gap in diff.numbers.tensors]
    assert len(noise) == 31
    assert all(value is not None and value > 3 for value in noise)
    first = diff.numbers.first
    assert first is not None
    assert (first.tensor.name, first.tensor.op) == ("conv1_relu/Relu6", "CONV_2D")


def test_two_tflite_files_are_matched_operator_by_operator(transformed: Graph, original: Graph, int8: bytes) -> None:
    floats = diff_models(of_tflite(convert(original)), of_tflite(convert(transformed)))
    assert floats.structure.only_a == floats.structure.only_b == ()
    assert floats.outputs_agree
    quantized = diff_models(of_tflite(convert(original)), of_tflite(int8))
    assert len(quantized.structure.changed) == quantized.structure.matched == 31
