from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime import tiny
from tfmobile.errors import DataError, ToolError, VerificationError
from tfmobile.runtime import interpreter, open_interpreter, runtime_name_version


def test_inputs_and_outputs_have_tensor_names_without_a_signature() -> None:
    model = open_interpreter(tiny.add_one())
    assert list(model.inputs) == ["x"]
    assert model.outputs["y"].shape == (1, 4)
    assert model.outputs["y"].name == "y"


def test_inputs_and_outputs_have_the_keys_of_the_signature() -> None:
    model = open_interpreter(tiny.add_one(({"image": 0}, {"score": 2})))
    assert model.inputs["image"].name == "image"
    assert model.run({"image": np.zeros((1, 4), np.float32)})["score"].tolist() == [[1, 1, 1, 1]]


def test_real_values_are_quantized_and_outputs_dequantized() -> None:
    model = open_interpreter(tiny.quantized_relu(scale=0.5))
    found = model.run({"x": np.array([[-2.0, 0.0, 0.8, 1000.0]], np.float32)})["y"]
    # 0.8 / 0.5 rounds to 2; 1000 is clipped at (127 - 3) · 0.5.
    assert found.tolist() == [[0.0, 0.0, 1.0, 62.0]]


def test_an_array_of_the_models_integer_type_is_taken_as_quantized() -> None:
    model = open_interpreter(tiny.quantized_relu(scale=0.5))
    assert model.run({"x": np.array([[3, 5, 7, 9]], np.int8)})["y"].tolist() == [[0.0, 1.0, 2.0, 3.0]]


def test_halves_round_away_from_zero_as_in_the_runtime() -> None:
    values = np.array([0.25, 0.75, 1.25, -0.25, -0.75], np.float32)
    assert interpreter.quantize(values, 0.5, 0, "int8").tolist() == [1, 2, 3, -1, -2]


@given(
    st.lists(st.floats(-(2**20), 2**20, width=32, allow_subnormal=False), min_size=1, max_size=20),
    st.floats(2**-10, 10, width=32),
    st.sampled_from([("int8", -128, 127), ("uint8", 0, 255), ("int16", 0, 0)]),
    st.data(),
)
def test_quantizing_is_off_by_half_a_step_at_most_inside_the_range(
    values: list[float], scale: float, kind: tuple[str, int, int], data: st.DataObject
) -> None:
    dtype, low, high = kind
    zero_point = data.draw(st.integers(low, high))
    limits = np.iinfo(dtype)
    array = np.array(values, np.float32)
    back = interpreter.dequantize(interpreter.quantize(array, scale, zero_point, dtype), scale, zero_point)
    clipped = np.clip(array, (limits.min - zero_point) * scale, (limits.max - zero_point) * scale)
    assert np.abs(back - clipped).max() <= scale * 0.502 + np.abs(clipped).max() * 1e-6


def test_nan_for_an_integer_input_is_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        open_interpreter(tiny.quantized_relu()).run({"x": np.full((1, 4), np.nan, np.float32)})


def test_a_wrong_shape_names_the_input_what_was_found_and_what_is_wanted() -> None:
    with pytest.raises(DataError) as caught:
        open_interpreter(tiny.add_one()).run({"x": np.zeros((1, 5), np.float32)})
    assert "'x'" in caught.value.what
    assert "[1, 5]" in caught.value.why
    assert "[1, 4]" in caught.value.why


def test_a_wrong_input_name_lists_the_right_ones() -> None:
    with pytest.raises(DataError) as caught:
        open_interpreter(tiny.add_one()).run({"z": np.zeros((1, 4), np.float32)})
    assert "x" in caught.value.why


def test_tensors_give_every_intermediate_value() -> None:
    model = open_interpreter(tiny.dense_half(), preserve_all=True)
    model.run({"x": np.ones((1, 4), np.float32)})
    assert list(model.tensors()) == ["w_float", "y"]


@pytest.mark.parametrize("content", [b"", b"no model at all, but long enough"])
def test_what_is_no_model_is_a_verification_error(content: bytes) -> None:
    with pytest.raises(VerificationError):
        open_interpreter(content)


def test_without_a_runtime_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "RUNTIMES", (("no_such_runtime", "no_such_runtime.x", "no-such"),))
    with pytest.raises(ToolError) as caught:
        open_interpreter(tiny.add_one())
    assert any("pip install" in fix for fix in caught.value.fixes)


def test_the_runtime_says_its_name_and_version() -> None:
    name, _, version = runtime_name_version().partition(" ")
    assert name
    assert version[0].isdigit()
