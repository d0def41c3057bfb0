from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runtime import tiny
from tfmobile import runtime
from tfmobile.errors import UnsupportedError
from tfmobile.runtime import flatbuffer


def test_float16_constants_become_float32_and_the_answers_stay() -> None:
    before = tiny.dense_half()
    after = runtime.restore_float(before)
    assert [(op.op, op.kind) for op in runtime.describe(after).ops] == [("FULLY_CONNECTED", "float")]
    feed = {"x": np.array([[1, 2, 3, 4]], np.float32)}
    expected = runtime.open_interpreter(before).run(feed)["y"]
    assert runtime.open_interpreter(after).run(feed)["y"].tolist() == expected.tolist()


def test_no_half_precision_bytes_stay_behind() -> None:
    after = runtime.restore_float(tiny.dense_half())
    assert runtime.describe(after).size.weight_bytes == 32
    assert {tensor.type for tensor in flatbuffer.read(after).subgraphs[0].tensors} == {0}


def test_a_float_model_keeps_its_operators_and_gets_a_signature_of_tensor_names() -> None:
    after = runtime.restore_float(tiny.add_one())
    assert flatbuffer.signatures(flatbuffer.read(after)) == {"serving_default": ({"x": 0}, {"y": 2})}
    assert runtime.restore_float(after) == after


def test_an_integer_model_is_refused_with_the_operator_named() -> None:
    with pytest.raises(UnsupportedError) as caught:
        runtime.restore_float(tiny.quantized_relu())
    assert "RELU 'y'" in caught.value.why
    assert caught.value.fixes


def test_integer_weights_under_float_arithmetic_are_refused_with_the_tensor_named() -> None:
    build = tiny.Builder()
    x, y = build.tensor("x", [1, 4]), build.tensor("y", [1, 2])
    w = build.tensor("w", [2, 4], "int8", value=np.ones((2, 4)), scale=0.1)
    build.operator("FULLY_CONNECTED", [x, w, -1], [y], build.schema.FullyConnectedOptionsT())
    with pytest.raises(UnsupportedError) as caught:
        runtime.restore_float(flatbuffer.write(build.model([x], [y])))
    assert "'w' is stored as int8" in caught.value.why


def test_a_real_float16_model_answers_the_same(shared: Path) -> None:
    before = (shared / "models/face_detection_front.tflite").read_bytes()
    after = runtime.restore_float(before)
    assert {op.kind for op in runtime.describe(after).ops} == {"float"}
    feed = {"input": np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)}
    old, new = (runtime.open_interpreter(content).run(feed) for content in (before, after))
    for key, value in old.items():
        np.testing.assert_allclose(new[key], value, rtol=1e-5, atol=1e-4)
