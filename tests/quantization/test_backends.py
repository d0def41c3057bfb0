from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest

from tests.quantization.small_models import network, samples, with_ids, with_loop, with_sine
from tfmobile.artifacts import Calibration
from tfmobile.errors import DataError, ToolError, UnsupportedError, VerificationError
from tfmobile.quantization import BACKENDS, calibrate, quantize, recipe, recipe_names
from tfmobile.quantization.backends import litert_quantizer, mlir
from tfmobile.quantization.backends.result import WEIGHT_OPERAND, check_result
from tfmobile.registry import load
from tfmobile.runtime import describe, flatbuffer, load_test, run

COMBINATIONS = [(name, io) for name in recipe_names() for io in recipe(name).io_allowed]


@functools.cache
def calibration() -> Calibration:
    return calibrate(network(), samples(20), source="test")


@functools.cache
def made(name: str, io: str = "") -> bytes:
    return quantize(network(), recipe(name), calibration(), io=io)


def weight_tensors(content: bytes) -> dict[str, Any]:
    """Weight tensor of each weighted operator, also behind a DEQUANTIZE, by the operator's name and position."""
    model = flatbuffer.read(content)
    main = model.subgraphs[0]
    makers = {int(index): operator for operator in main.operators for index in operator.outputs}
    found = {}
    for position, operator in enumerate(main.operators):
        name = flatbuffer.op_name(model, operator)
        if name in WEIGHT_OPERAND:
            index = int(operator.inputs[1])
            index = int(makers[index].inputs[0]) if index in makers else index
            found[f"{name} {position}"] = main.tensors[index]
    return found


def test_every_back_end_of_the_table_loads() -> None:
    assert all(callable(load("back end", BACKENDS, name)) for name in BACKENDS)


@pytest.mark.parametrize(("name", "io"), COMBINATIONS)
def test_every_recipe_gives_the_inputs_and_outputs_asked_for_and_runs(name: str, io: str) -> None:
    content = made(name, io)
    facts = describe(content)
    assert {fact.dtype for fact in (*facts.inputs, *facts.outputs)} == {io}
    assert load_test(content, [samples(1)[0][1]]).outputs_finite


@pytest.mark.parametrize("name", recipe_names())
def test_the_signature_survives(name: str) -> None:
    inputs, outputs = flatbuffer.signatures(flatbuffer.read(made(name)))["serving_default"]
    assert list(inputs) == ["x"]
    assert list(outputs) == ["y"]


@pytest.mark.parametrize("name", recipe_names())
def test_the_same_arguments_give_the_same_bytes(name: str) -> None:
    assert quantize(network(), recipe(name), calibration()) == made(name)


@pytest.mark.parametrize(
    ("name", "largest"),
    [("float16", 0.01), ("dynamic-int8", 0.05), ("int8", 0.1), ("int16x8", 0.05), ("weight-int4", 0.5)],
)
def test_the_quantized_model_answers_much_like_the_float_one(name: str, largest: float) -> None:
    feeds = [feed for _, feed in samples(6)]
    ours, theirs = run(network(), feeds), run(made(name), feeds)
    assert max(np.abs(a["y"] - b["y"]).max() for a, b in zip(ours, theirs, strict=True)) < largest


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "float32"])
def test_every_recipe_but_float32_makes_the_model_smaller(name: str) -> None:
    assert len(made(name)) < len(network())


def test_float32_is_the_model_as_it_is() -> None:
    assert made("float32") == network()


@pytest.mark.parametrize("name", ["int8", "int16x8"])
def test_int8_weights_are_symmetric_and_per_channel(name: str) -> None:
    tensors = weight_tensors(made(name))
    assert len(tensors) == 4
    for operator, tensor in tensors.items():
        axis = 3 if operator.startswith("DEPTHWISE") else 0
        assert flatbuffer.dtype_name(tensor.type) == "int8"
        assert len(tensor.quantization.scale) == tensor.shape[axis]
        assert not np.any(tensor.quantization.zeroPoint)


def test_per_tensor_weights_have_one_scale() -> None:
    for tensor in weight_tensors(made("int8-per-tensor")).values():
        assert flatbuffer.dtype_name(tensor.type) == "int8"
        assert len(tensor.quantization.scale) == 1
        assert not np.any(tensor.quantization.zeroPoint)


def test_int8_activations_are_asymmetric_and_int16_ones_symmetric() -> None:
    def zero_points(name: str, kind: str) -> list[int]:
        model = flatbuffer.read(made(name))
        tensors = [t for t in model.subgraphs[0].tensors if not flatbuffer.tensor_bytes(model, t)]
        return [int(t.quantization.zeroPoint[0]) for t in tensors if flatbuffer.dtype_name(t.type) == kind]

    assert any(zero_points("int8", "int8"))
    assert zero_points("int16x8", "int16")
    assert not any(zero_points("int16x8", "int16"))


def test_int8_and_int16x8_leave_no_operator_in_float() -> None:
    for name in ("int8", "int8-per-tensor", "int16x8"):
        assert not describe(made(name), recipe=name).left_float


def test_weight_int4_is_four_bits_where_there_are_kernels_and_eight_elsewhere() -> None:
    kinds = {name.split()[0]: flatbuffer.dtype_name(t.type) for name, t in weight_tensors(made("weight-int4")).items()}
    assert kinds == {"CONV_2D": "int4", "FULLY_CONNECTED": "int4", "DEPTHWISE_CONV_2D": "int8"}


def test_float16_weights_are_float16() -> None:
    kinds = {flatbuffer.dtype_name(tensor.type) for tensor in weight_tensors(made("float16")).values()}
    assert kinds == {"float16"}


def test_dynamic_int8_keeps_small_weights_in_float() -> None:
    for tensor in weight_tensors(made("dynamic-int8")).values():
        small = int(np.prod(tensor.shape)) < recipe("dynamic-int8").min_weight_elements
        assert flatbuffer.dtype_name(tensor.type) == ("float32" if small else "int8")


def test_the_back_ends_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for name in recipe_names():
        quantize(network(), recipe(name), calibration())
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "quantize" not in printed.err


def test_an_input_type_the_recipe_does_not_make_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="int8 inputs") as caught:
        quantize(network(), recipe("float16"), None, io="int8")
    assert caught.value.fixes == ("--io float32",)


def test_integer_activations_without_calibration_are_refused() -> None:
    with pytest.raises(DataError, match="ranges"):
        quantize(network(), recipe("int8"), None)


def test_what_cannot_be_integer_stays_float_and_is_listed() -> None:
    ranges = calibrate(with_sine(), samples(5, (1, 6, 6, 3)), source="test")
    content = quantize(with_sine(), recipe("int8"), ranges)
    left = describe(content, recipe="int8").left_float
    assert [op.op for op in left] == ["SIN"]
    assert left[0].reason


def test_a_recipe_can_refuse_float_operators() -> None:
    ranges = calibrate(with_sine(), samples(5, (1, 6, 6, 3)), source="test")
    strict = dataclasses.replace(recipe("int8"), left_float="refuse")
    with pytest.raises(UnsupportedError, match="1 operators") as caught:
        quantize(with_sine(), strict, ranges)
    assert "SIN" in caught.value.why


def test_a_tensor_without_a_range_leaves_its_operator_float_and_visible() -> None:
    known = {name: bounds for name, bounds in calibration().ranges.items() if "conv" not in name.lower()}
    content = quantize(network(), recipe("int8"), Calibration(known, 1, "test"), io="float32")
    assert describe(content, recipe="int8").left_float


def test_a_model_with_a_loop_is_quantized_and_answers_alike() -> None:
    data = samples(10, (1, 6, 6, 3))
    content = quantize(with_loop(), recipe("int8"), calibrate(with_loop(), data, source="test"), io="float32")
    feeds = [feed for _, feed in data]
    ours, theirs = run(with_loop(), feeds), run(content, feeds)
    scale = max(float(each["y"].max()) for each in ours)
    assert max(float(np.abs(a["y"] - b["y"]).max()) for a, b in zip(ours, theirs, strict=True)) < 0.05 * scale


@pytest.mark.parametrize("name", ["int8", "int16x8"])
def test_integer_inputs_stay_as_they_are(name: str) -> None:
    generator = np.random.default_rng(0)
    data = [(str(n), {"x": generator.integers(0, 50, (1, 6)).astype(np.int32)}) for n in range(20)]
    content = quantize(with_ids(), recipe(name), calibrate(with_ids(), data, source="test"), io="float32")
    assert [fact.dtype for fact in describe(content).inputs] == ["int32"]
    assert load_test(content, [data[0][1]]).outputs_finite


def test_a_result_that_is_not_what_the_recipe_says_is_refused() -> None:
    with pytest.raises(VerificationError, match="no int8 weights"):
        check_result(network(), network(), recipe("dynamic-int8"), "float32")
    with pytest.raises(VerificationError, match="int8 was asked for"):
        check_result(network(), network(), recipe("int8"), "int8")


def test_another_quantizer_interface_is_a_tool_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.lite.python import convert

    monkeypatch.setattr(convert, "mlir_quantize", lambda data: data)
    with pytest.raises(ToolError, match="another quantizer interface"):
        mlir.quantize(network(), recipe("int8"), calibration(), "int8")


def test_a_missing_package_is_a_tool_error_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "litert_quantizer", None)
    with pytest.raises(ToolError) as caught:
        litert_quantizer.quantize(network(), recipe("float16"), None, "float32")
    assert "pip install" in caught.value.fixes[0]
