"""Operators timed alone, in a real child."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.runtime.tiny import Builder, add_one, quantized_relu
from tfmobile.artifacts import OpLatencies
from tfmobile.benchmarking import float_cost, float_costs, op_latencies
from tfmobile.benchmarking.shared_child import time_models
from tfmobile.codec import decode, encode
from tfmobile.errors import UnknownNameError, UsageError, VerificationError
from tfmobile.runtime import flatbuffer
from tfmobile.runtime.single_op import idle

BUDGET_S = 0.5


def dense(sizes: tuple[int, ...], dtype: str = "float32") -> bytes:
    """Dense layers called layer0, layer1 …, each with a weight matrix of that many rows and columns."""
    build = Builder()
    quantized: dict[str, Any] = {"dtype": dtype, "scale": 0.1} if dtype == "int8" else {}
    generator = np.random.default_rng(0)
    place = first = build.tensor("x", [1, sizes[0]], **quantized)
    for number, size in enumerate(sizes):
        before = int(build.tensors[place].shape[1])
        weights = build.tensor(
            f"w{number}", [size, before], value=generator.integers(-9, 9, (size, before)), **quantized
        )
        made = build.tensor(f"layer{number};inner", [1, size], **quantized)
        build.operator("FULLY_CONNECTED", [place, weights, -1], [made], build.schema.FullyConnectedOptionsT())
        if dtype == "int8":
            build.codes[-1].version = 4
        place = made
    return flatbuffer.write(build.model([first], [place]))


def broken() -> bytes:
    """An operator that the runtime does not prepare: the matrices do not fit."""
    build = Builder()
    x, w, y = build.tensor("x", [1, 3]), build.tensor("w", [4, 7], value=np.ones((4, 7))), build.tensor("y", [1, 4])
    build.operator("FULLY_CONNECTED", [x, w, -1], [y], build.schema.FullyConnectedOptionsT())
    return flatbuffer.write(build.model([x], [y]))


def test_every_operator_has_a_time_and_larger_ones_take_longer() -> None:
    found = op_latencies({"one": dense((16, 900, 900)), "two": quantized_relu()}, budget_s=2 * BUDGET_S)
    assert [(one.model, one.layer, one.op) for one in found.ops][:3] == [
        ("one", f"layer{number}", "FULLY_CONNECTED") for number in range(3)
    ]
    small, _, large = (one.us.value for one in found.of("one"))
    assert large > 5 * small
    for one in found.ops:
        assert one.us.low <= one.us.value <= one.us.high
        assert one.runs > 0
    assert set(found.whole_us) == {"one", "two"}
    assert found.sum_us("one") == sum(one.us.value for one in found.of("one"))
    assert 0 < found.overhead_us < 1000
    assert "taken off" in found.method
    assert "runtime" in found.host
    assert not found.notes


def test_the_times_of_the_operators_add_up_to_about_that_of_the_model() -> None:
    found = op_latencies({"one": dense((900, 900, 900))}, budget_s=2 * BUDGET_S)
    assert 0.3 < found.sum_us("one") / found.whole_us["one"].value < 3


def test_what_does_not_run_alone_is_left_out_with_a_note() -> None:
    build = Builder()
    one, y = build.tensor("one", [1], value=[1.0]), build.tensor("constant", [1])
    x, z = build.tensor("x", [1]), build.tensor("z", [1])
    build.operator("RELU", [one], [y])
    build.operator("RELU", [x], [z])
    found = op_latencies({"two": flatbuffer.write(build.model([x], [y, z]))}, budget_s=BUDGET_S)
    assert [one.layer for one in found.ops] == ["z"]
    assert found.notes == ("Not timed: RELU 'constant' of two: All it reads is constant.",)


def test_a_model_that_fails_does_not_stop_the_others() -> None:
    found = op_latencies({"good": add_one(), "bad": broken()}, budget_s=BUDGET_S)
    assert [one.model for one in found.ops] == ["good"]
    assert set(found.whole_us) == {"good"}
    assert any("FULLY_CONNECTED 'y' of bad" in note for note in found.notes)


def test_equal_models_are_timed_once_and_share_their_times() -> None:
    timed = time_models({"one": idle(), "two": idle()}, threads=1, xnnpack=True, budget_s=0.1)
    assert timed.measured["one"] is timed.measured["two"]


def test_without_xnnpack_and_with_threads_it_says_so() -> None:
    found = op_latencies({"one": add_one()}, threads=2, xnnpack=False, budget_s=0.1)
    assert "2 threads, XNNPACK off" in found.method
    assert (found.threads, found.xnnpack) == (2, False)


def test_the_result_survives_storage() -> None:
    found = op_latencies({"one": add_one()}, budget_s=0.1)
    assert decode(OpLatencies, json.loads(json.dumps(encode(found)))) == found


def test_nothing_to_time_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to time"):
        op_latencies({})


def test_the_cost_of_float_is_the_difference_with_its_borders() -> None:
    found = float_costs(dense((600, 600)), dense((600, 600), "int8"), budget_s=BUDGET_S)
    assert list(found.layers) == ["layer0", "layer1"]
    assert not found.notes
    for cost in found.layers.values():
        assert cost.float_us > 0
        assert cost.borders_us >= 0  # of 600 numbers: less than the clock tells
        assert cost.us == cost.float_us - cost.int8_us + cost.borders_us


def test_the_cost_of_one_layer_can_be_asked_for() -> None:
    assert isinstance(float_cost(dense((64,)), dense((64,), "int8"), "layer0", budget_s=0.2), float)
    with pytest.raises(UnknownNameError, match="layer"):
        float_cost(dense((64,)), dense((64,), "int8"), "layer7")


def test_a_layer_that_cannot_be_timed_is_an_error_when_it_was_asked_for() -> None:
    with pytest.raises(VerificationError, match="cannot be timed"):
        float_cost(broken(), broken(), "y", budget_s=0.1)
    assert float_costs(broken(), broken(), budget_s=0.1).notes[0].startswith("Not timed: 'y'")
