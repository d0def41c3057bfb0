"""One operator alone computes what it computes in its model."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from tests.runtime.tiny import Builder, add_one
from tfmobile.errors import UnsupportedError
from tfmobile.graph.model import Array
from tfmobile.runtime import flatbuffer, open_interpreter
from tfmobile.runtime.operator_names import layer_of, operators_by_tensor
from tfmobile.runtime.single_op import border, cut, idle, restores


@functools.cache
def chain() -> bytes:
    """b = relu(x + 1); y = b + b: the second operator reads one tensor twice."""
    build = Builder()
    x, one = build.tensor("x", [1, 4]), build.tensor("one", [4], value=[1.0] * 4)
    a, b, y = (build.tensor(name, [1, 4]) for name in ("a", "b;inner", "y"))
    build.operator("ADD", [x, one], [a], build.schema.AddOptionsT())
    build.operator("RELU", [a], [b])
    build.operator("ADD", [b, b], [y], build.schema.AddOptionsT())
    return flatbuffer.write(build.model([x], [y]))


@functools.cache
def half_weights() -> bytes:
    """A dense layer whose weights are float16, restored by a DEQUANTIZE."""
    build = Builder()
    x, stored = build.tensor("x", [1, 2]), build.tensor("w16", [3, 2], "float16", value=[[1, 2], [3, 4], [5, 6]])
    w, y = build.tensor("w", [3, 2]), build.tensor("y", [1, 3])
    build.operator("DEQUANTIZE", [stored], [w])
    build.operator("FULLY_CONNECTED", [x, w, -1], [y], build.schema.FullyConnectedOptionsT())
    build.codes[0].version = 3
    return flatbuffer.write(build.model([x], [y]))


def alone(content: bytes, position: int, *arrays: Any) -> list[Array]:
    model = open_interpreter(cut(flatbuffer.read(content), position))
    feed = {key: np.asarray(array, np.float32) for key, array in zip(model.inputs, arrays, strict=True)}
    return list(model.run(feed).values())


def test_an_operator_keeps_its_constants_and_reads_the_rest() -> None:
    assert alone(chain(), 0, [[0, 1, 2, 3]])[0].tolist() == [[1, 2, 3, 4]]
    assert alone(chain(), 1, [[-1, 0, 1, 2]])[0].tolist() == [[0, 0, 1, 2]]


def test_a_tensor_that_is_read_twice_is_one_input() -> None:
    assert alone(chain(), 2, [[0, 1, 2, 3]])[0].tolist() == [[0, 2, 4, 6]]


def test_the_model_it_comes_from_stays_as_it_is() -> None:
    model = flatbuffer.read(chain())
    before = flatbuffer.write(model)
    for position in range(3):
        cut(model, position)
    assert flatbuffer.write(model) == before


def test_the_same_operator_gives_the_same_bytes() -> None:
    assert cut(flatbuffer.read(chain()), 1) == cut(flatbuffer.read(chain()), 1)


def test_restored_constants_come_along() -> None:
    model = flatbuffer.read(half_weights())
    assert [restores(model, operator) for operator in model.subgraphs[0].operators] == [True, False]
    assert alone(half_weights(), 1, [[1, 10]])[0].tolist() == [[21, 43, 65]]


def test_quantization_stays() -> None:
    build = Builder()
    x = build.tensor("x", [1, 4], "int8", scale=0.5, zero_point=3)
    y = build.tensor("y", [1, 4], "int8", scale=0.25, zero_point=-7)
    build.operator("QUANTIZE", [x], [y])
    model = open_interpreter(cut(build.model([x], [y]), 0))
    assert [(fact.scale, fact.zero_point) for fact in (*model.inputs.values(), *model.outputs.values())] == [
        (0.5, 3),
        (0.25, -7),
    ]


def test_a_loop_and_an_operator_without_inputs_are_refused() -> None:
    build = Builder()
    x, y = build.tensor("x", [1]), build.tensor("y", [1])
    one, z = build.tensor("one", [1], value=[1.0]), build.tensor("z", [1])
    build.operator("WHILE", [x], [y], build.schema.WhileOptionsT())
    build.operator("RELU", [one], [z])
    model = build.model([x], [y, z])
    with pytest.raises(UnsupportedError, match="WHILE") as caught:
        cut(model, 0)
    assert "other parts" in caught.value.why
    with pytest.raises(UnsupportedError, match="RELU"):
        cut(model, 1)


def test_borders_turn_integers_to_float_and_back() -> None:
    build = Builder()
    build.tensor("constant", [1], value=[1.0])
    x = build.tensor("x", [1, 3], "int8", scale=0.5, zero_point=1)
    build.tensors[x].buffer = len(build.buffers)  # an empty one of its own, as converters write it
    build.buffers.append(build.schema.BufferT())
    model = build.model([x], [x])
    down, up = (open_interpreter(border(model, x, kind)) for kind in ("DEQUANTIZE", "QUANTIZE"))
    real = next(iter(down.run({next(iter(down.inputs)): np.array([[1, 3, -1]], np.int8)}).values()))
    assert real.tolist() == [[0, 1, -1]]
    assert next(iter(up.run({next(iter(up.inputs)): real}).values())).tolist() == [[0, 1, -1]]
    assert next(iter(up.outputs.values())).dtype == "int8"


def test_idle_runs() -> None:
    model = open_interpreter(idle())
    assert model.run({"x": np.array([-1], np.float32)})["y"].tolist() == [0]


def test_operators_are_found_by_their_tensors_also_behind_borders() -> None:
    build = Builder()
    x, a = build.tensor("x", [1, 4], "int8", scale=0.5), build.tensor("y1;inner", [1, 4], "int8", scale=0.5)
    y = build.tensor("y", [1, 4])
    build.operator("RELU", [x], [a])
    build.operator("DEQUANTIZE", [a], [y])
    found = operators_by_tensor(flatbuffer.write(build.model([x], [y])))
    assert {name: fact.op for name, fact in found.items()} == {"y1;inner": "RELU", "y": "RELU"}
    assert layer_of("y1;inner") == "y1"
    assert set(operators_by_tensor(add_one())) == {"y"}
