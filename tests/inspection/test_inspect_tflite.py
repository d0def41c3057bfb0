"""``inspect_tflite`` on tiny files built by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.tiny import Builder, add_one, dense_half, endless, quantized_relu
from tfmobile.errors import ModelError
from tfmobile.inspection import inspect_tflite, to_dict
from tfmobile.runtime import flatbuffer


def convolution(channels: int = 4, dtype: str = "int8") -> bytes:
    """An integer convolution 3 × 3 on [1, 8, 8, 2], one weight scale a channel."""
    build = Builder()
    x = build.tensor("x", [1, 8, 8, 2], dtype, scale=0.5)
    w = build.tensor("w", [channels, 3, 3, 2], "int8", value=np.ones((channels, 3, 3, 2)), scale=0.1)
    b = build.tensor("b", [channels], "int32", value=np.zeros(channels), scale=0.05)
    y = build.tensor("y", [1, 8, 8, channels], dtype, scale=0.5)
    build.tensors[w].quantization.scale = np.full(channels, 0.1, np.float32)
    build.tensors[w].quantization.zeroPoint = np.zeros(channels, np.int64)
    build.operator("CONV_2D", [x, w, b], [y], build.schema.Conv2DOptionsT())
    return flatbuffer.write(build.model([x], [y]))


def compiled() -> bytes:
    """What the Edge TPU compiler leaves: one custom operator."""
    build = Builder()
    x, y = build.tensor("x", [1, 4], "uint8", scale=0.5), build.tensor("y", [1, 4], "uint8", scale=0.5)
    build.operator("CUSTOM", [x], [y])
    build.codes[-1].customCode = "edgetpu-custom-op"
    return flatbuffer.write(build.model([x], [y]))


def test_parameters_macs_and_size_of_a_convolution_are_counted() -> None:
    found = inspect_tflite(convolution(), "c.tflite")
    assert found.parameters == 4 * 3 * 3 * 2 + 4
    assert found.macs == (8 * 8 * 4) * (3 * 3 * 2)
    layer = found.layers[0]
    assert (layer.name, layer.op, layer.shape, layer.parameters) == ("y", "CONV_2D", (1, 8, 8, 4), 76)
    assert layer.parameter_bytes == 72 + 16
    assert [(fact.name, fact.size_bytes) for fact in found.buffers] == [("w", 72), ("b", 16)]
    assert found.arena_bytes == 8 * 8 * 2 + 8 * 8 * 4


def test_inputs_carry_their_quantization() -> None:
    found = inspect_tflite(quantized_relu(), "r.tflite")
    assert (found.inputs[0].dtype, found.inputs[0].scale, found.inputs[0].zero_point) == ("int8", 0.5, 3)
    assert found.format_version == 3
    assert found.description == "tiny"
    assert [(op.op, op.count, op.version) for op in found.ops] == [("RELU", 1, 1)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (add_one, "float32"),
        (dense_half, "float16 weights, float32 arithmetic"),
        (convolution, "full int8, per channel"),
        (lambda: convolution(dtype="int16"), "full int16 activations, int8 weights, per channel"),
    ],
)
def test_the_quantization_scheme_is_told_in_words(content: object, words: str) -> None:
    assert callable(content)
    assert inspect_tflite(content(), "m.tflite").quantization == words


def test_weights_stored_as_float16_count_for_the_layer_that_uses_them() -> None:
    found = inspect_tflite(dense_half(), "h.tflite")
    assert [(layer.op, layer.parameters) for layer in found.layers] == [("DEQUANTIZE", 0), ("FULLY_CONNECTED", 8)]
    assert (found.parameters, found.macs) == (8, 8)
    assert found.arena_bytes == 4 * 4 + 2 * 4


def test_a_file_compiled_for_the_edge_tpu_is_recognized() -> None:
    found = inspect_tflite(compiled(), "c_edgetpu.tflite")
    assert found.edge_tpu
    assert found.command == ""
    assert any("Edge TPU" in note for note in found.notes)


def test_every_tensor_carries_its_quantization() -> None:
    x, w, b, y = inspect_tflite(convolution(), "c.tflite").tensors
    assert [one.role for one in (x, w, b, y)] == ["input", "constant", "constant", "output"]
    assert (w.dtype, w.shape, w.constant_bytes) == ("int8", (4, 3, 3, 2), 72)
    assert w.quantization is not None
    assert (w.quantization.scales, w.quantization.axis) == (4, 0)
    assert w.quantization.largest_scale == pytest.approx(0.1)
    assert x.quantization is not None
    assert (x.quantization.scales, x.quantization.smallest_scale, x.quantization.axis) == (1, 0.5, None)


def test_a_tensor_without_a_scale_has_no_quantization() -> None:
    assert {one.quantization for one in inspect_tflite(add_one(), "a.tflite").tensors} == {None}


def test_operators_carry_what_all_of_a_kind_own() -> None:
    (op,) = inspect_tflite(convolution(), "c.tflite").ops
    assert (op.op, op.count, op.parameters, op.parameter_bytes, op.macs) == ("CONV_2D", 1, 76, 88, 4608)


def test_signatures_name_their_tensors() -> None:
    (signature,) = inspect_tflite(add_one(({"in": 0}, {"out": 2})), "a.tflite").signatures
    assert (signature.key, signature.subgraph) == ("serving_default", 0)
    assert (dict(signature.inputs), dict(signature.outputs)) == ({"in": "x"}, {"out": "y"})


def test_other_subgraphs_are_told() -> None:
    found = inspect_tflite(endless(), "loop.tflite")
    assert len(found.subgraphs) == 3
    assert [one.op for one in found.subgraphs[0].ops] == ["WHILE"]
    assert {tensor.subgraph for tensor in found.tensors} == {0, 1, 2}


def test_the_structure_lists_every_operator_with_its_options() -> None:
    assert inspect_tflite(convolution(), "c.tflite").structure == ()
    (fact,) = inspect_tflite(convolution(), "c.tflite", structure=True).structure
    assert (fact.name, fact.op, fact.inputs, fact.shape) == ("y", "CONV_2D", ("x", "w", "b"), (1, 8, 8, 4))
    assert "padding=SAME" in fact.detail


def test_only_a_float_model_is_offered_to_optimize() -> None:
    assert inspect_tflite(add_one(), "a.tflite").command.startswith("tfmobile optimize a.tflite")
    assert inspect_tflite(convolution(), "c.tflite").command == ""


def test_metadata_and_attached_files_are_shown() -> None:
    from tfmobile.runtime import metadata

    values = {"name": "one more", "subgraph_metadata": [{"name": "main"}]}
    found = inspect_tflite(metadata.add(add_one(), values, {"labels.txt": b"cat\ndog"}), "a.tflite")
    assert found.description_metadata["name"] == "one more"
    assert dict(found.attached) == {"labels.txt": 7}
    assert "TFLITE_METADATA" in [entry.name for entry in found.metadata]


def test_the_json_form_is_plain_and_versioned() -> None:
    values = json.loads(json.dumps(to_dict(inspect_tflite(convolution(), "c.tflite"))))
    assert (values["schema_version"], values["kind"], values["name"]) == (2, "tflite", "c.tflite")


@pytest.mark.parametrize("content", [b"", b"text that is no model", convolution()[:200]])
def test_a_damaged_file_is_a_typed_error(content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        inspect_tflite(content, "x.tflite")
    assert caught.value.fixes


def test_it_needs_no_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(convolution())
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from tfmobile.inspection import inspect_tflite\n"
        "found = inspect_tflite(open(sys.argv[1], 'rb').read(), 'm')\n"
        "assert found.macs == 4608, found.macs"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.tflite")], check=True)


def test_files_of_other_compilers_are_read(shared: Path) -> None:
    files = sorted((shared / "edgetpu").glob("*.tflite"))
    found = {path.stem: inspect_tflite(path.read_bytes(), path.name) for path in files}
    assert found
    for name, inspection in found.items():
        assert inspection.edge_tpu == name.endswith("_edgetpu"), name
        assert to_dict(inspection)["kind"] == "tflite"
    assert found["mobilenet_v1_0.25_128_quant"].macs == pytest.approx(13.6e6, rel=0.01)
