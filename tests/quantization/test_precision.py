"""Layers of an int8 model that keep float: they do, nobody else does, and the answers come closer."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest

from tests.quantization.small_models import convert, network, samples, weights
from tfmobile.artifacts import Calibration
from tfmobile.errors import UnknownNameError, UnsupportedError, VerificationError
from tfmobile.graph.model import Array
from tfmobile.quantization import calibrate, quantize, recipe
from tfmobile.quantization.backends import mlir
from tfmobile.quantization.backends.precision import check_precision, layer_names, nodes, with_reasons
from tfmobile.runtime import describe, open_interpreter, run

PLAIN = recipe("int8")


@functools.cache
def residual() -> bytes:
    """Two convolutions, an addition of both, a pool, a convolution and a softmax."""
    import tensorflow as tf

    def function(x: Any) -> Any:
        one = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 8), 1, "SAME", name="first"))
        two = tf.nn.relu(tf.nn.conv2d(one, weights(3, 3, 8, 8, seed=1), 1, "SAME", name="second") + weights(8, seed=5))
        x = tf.nn.max_pool2d(tf.add(one, two, name="sum"), 2, 2, "SAME", name="pool")
        return tf.nn.softmax(tf.nn.conv2d(x, weights(3, 3, 8, 8, seed=2), 1, "SAME", name="last"))

    return convert(function, [1, 12, 12, 3])


@functools.cache
def calibration(content: bytes) -> Calibration:
    return calibrate(content, samples(12), source="test")


@functools.cache
def made(content: bytes, *named: tuple[str, str], io: str = "", name: str = "int8") -> bytes:
    chosen = dataclasses.replace(recipe(name), precision=dict(named))
    return quantize(content, chosen, calibration(content), io=io)


def kinds(content: bytes) -> list[tuple[str, str]]:
    return [(op.op, op.kind) for op in describe(content).ops]


@functools.cache
def noise(content: bytes, quantized: bytes) -> float:
    ours, theirs = answers(content), answers(quantized)
    return float(np.mean([np.square(one - two).mean() for one, two in zip(ours, theirs, strict=True)]))


@functools.cache
def answers(content: bytes) -> list[Array]:
    interpreter = open_interpreter(content)
    return [interpreter.run(feed)["y"] for _, feed in samples(6)]


def layer(content: bytes, op: str, number: int = 0) -> str:
    return [one.output.partition(";")[0] for one in describe(content).ops if one.op == op][number]


def test_layers_are_called_by_the_first_part_of_their_output() -> None:
    names = layer_names(residual())
    outputs = [op.output for op in describe(residual()).ops if op.op != "MAX_POOL_2D"]
    assert list(names) == [output.partition(";")[0] for output in outputs]
    assert not any(";" in name for name in names)


@pytest.mark.parametrize("name", layer_names(network()))
@pytest.mark.parametrize("granularity", ["int8", "int8-per-tensor"])
def test_each_layer_can_be_left_float_alone(name: str, granularity: str) -> None:
    content = made(network(), (name, "float32"), name=granularity)
    left = describe(content).left_float
    assert len(left) == 1
    assert left[0].op in dict(kinds(network()))
    assert np.isfinite(answers(content)).all()


@pytest.mark.parametrize("name", layer_names(residual()))
@pytest.mark.parametrize("io", PLAIN.io_allowed)
def test_with_every_type_of_inputs_and_outputs_the_borders_are_right(name: str, io: str) -> None:
    content = made(residual(), (name, "float32"), io=io)
    facts = describe(content)
    assert {fact.dtype for fact in (*facts.inputs, *facts.outputs)} == {io}
    assert len(facts.left_float) == 1
    assert noise(residual(), content) < 2 * noise(residual(), made(residual(), io=io))


def test_no_border_lies_between_neighbours_in_float() -> None:
    names = layer_names(network())[:2]
    content = made(network(), *((name, "float32") for name in names), io="float32")
    assert [kind for _, kind in kinds(content)][:3] == ["float", "float", "boundary"]


def test_a_float_first_layer_reads_the_float_input() -> None:
    content = made(network(), (layer_names(network())[0], "float32"), io="float32")
    assert kinds(content)[0] == ("CONV_2D", "float")


def test_layers_in_float_bring_the_answers_closer() -> None:
    half = [(name, "float32") for name in layer_names(network())[:3]]
    every = [(name, "float32") for name in layer_names(network())[:-1]]
    errors = [noise(network(), made(network(), *named)) for named in ((), half, every)]
    assert errors[0] > errors[1] > errors[2]


def test_float16_weights_take_half_the_bytes_and_are_restored_when_loaded() -> None:
    name = layer_names(network())[2]
    half, single = made(network(), (name, "float16")), made(network(), (name, "float32"))
    assert ("CONV_2D", "weight-only") in kinds(half)
    count = 3 * 3 * 16 * 32
    assert len(single) - len(half) == pytest.approx(2 * count, abs=700)
    feeds = [feed for _, feed in samples(4)]
    for one, two in zip(run(half, feeds), run(single, feeds), strict=True):
        assert np.abs(one["y"] - two["y"]).max() <= 1 / 128
    for xnnpack in (True, False):
        assert np.isfinite(run(half, feeds, xnnpack=xnnpack)[0]["y"]).all()


def test_float16_of_a_layer_without_weights_is_float() -> None:
    name = layer(residual(), "ADD")
    assert made(residual(), (name, "float16")) == made(residual(), (name, "float32"))


def test_float16_that_cannot_hold_the_weights_is_refused() -> None:
    import tensorflow as tf

    kernel = weights(3, 3, 3, 4)
    kernel[0, 0, 0, 0] = 1e5
    content = convert(
        lambda x: tf.nn.conv2d(tf.nn.conv2d(x, kernel, 1, "SAME"), weights(1, 1, 4, 4), 1, "SAME"), [1, 12, 12, 3]
    )
    with pytest.raises(VerificationError, match="float16") as caught:
        made(content, (layer_names(content)[0], "float16"))
    assert "1e+05" in caught.value.why


def test_both_precisions_can_be_mixed() -> None:
    one, two = layer_names(network())[:2]
    content = made(network(), (one, "float32"), (two, "float16"))
    assert [kind for op, kind in kinds(content) if op in ("CONV_2D", "DEPTHWISE_CONV_2D")][:2] == [
        "float",
        "weight-only",
    ]


def test_nothing_named_is_the_plain_model() -> None:
    assert made(network()) == quantize(network(), PLAIN, calibration(network()))


def test_the_same_names_give_the_same_bytes() -> None:
    chosen = dataclasses.replace(PLAIN, precision={layer_names(network())[1]: "float16"})
    once, again = (quantize(network(), chosen, calibration(network())) for _ in range(2))
    assert once == again


def test_an_unknown_layer_is_refused_with_the_nearest_name() -> None:
    name = layer_names(network())[0]
    with pytest.raises(UnknownNameError, match="no layer called") as caught:
        made(network(), (name[:-1] + "!", "float32"))
    assert caught.value.fixes == (f"Did you mean '{name}'?",)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="int16"):
        made(network(), (layer_names(network())[0], "int16"))


def test_what_follows_its_neighbours_cannot_be_named_and_stays_float_between_them() -> None:
    with pytest.raises(UnsupportedError, match="pool") as caught:
        nodes(residual(), {layer(residual(), "MAX_POOL_2D"): "float32"})
    assert "neighbours" in caught.value.why
    around = [(layer(residual(), "ADD"), "float32"), (layer(residual(), "CONV_2D", 2), "float32")]
    assert ("MAX_POOL_2D", "float") in kinds(made(residual(), *around))


def test_another_back_end_refuses_precision() -> None:
    chosen = dataclasses.replace(recipe("dynamic-int8"), precision={layer_names(network())[0]: "float32"})
    with pytest.raises(UnsupportedError, match="single layers"):
        quantize(network(), chosen, None)


def test_a_layer_that_stayed_integer_is_found() -> None:
    wanted = nodes(network(), {layer_names(network())[0]: "float32"})
    with pytest.raises(VerificationError, match="does not compute in float"):
        check_precision(made(network()), wanted, lambda: made(network()))


def test_a_layer_that_became_float_unasked_is_found() -> None:
    one, two = layer_names(network())[:2]
    both = made(network(), (one, "float32"), (two, "float32"))
    with pytest.raises(VerificationError, match="1 layers") as caught:
        check_precision(both, nodes(network(), {one: "float32"}), lambda: made(network()))
    assert two in caught.value.why


def test_a_quantizer_that_ignores_the_names_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mlir._mlir_quantize()
    monkeypatch.setattr(
        mlir, "_mlir_quantize", lambda: lambda *args, **more: whole(*args, **{**more, "denylisted_nodes": None})
    )
    chosen = dataclasses.replace(PLAIN, precision={layer_names(network())[0]: "float32"})
    with pytest.raises(VerificationError, match="does not compute in float"):
        quantize(network(), chosen, calibration(network()))


def test_a_strict_recipe_lets_named_layers_be_float() -> None:
    chosen = dataclasses.replace(PLAIN, left_float="refuse", precision={layer_names(network())[0]: "float32"})
    assert describe(quantize(network(), chosen, calibration(network()))).left_float


def test_the_reason_of_a_named_layer_is_the_recipe() -> None:
    name = layer_names(network())[1]
    content = made(network(), (name, "float16"))
    found = with_reasons(describe(content, recipe="int8", backend="mlir-quantize"), {name: "float16"})
    reasons = [op.reason for op in found.ops if op.kind == "weight-only"]
    assert reasons == ["the recipe's precision says float16"]


def test_weights_that_two_layers_share_stay_as_they_are_unless_both_are_halved() -> None:
    import tensorflow as tf

    kernel = tf.constant(weights(3, 3, 3, 3))
    content = convert(
        lambda x: tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), kernel, 1, "SAME"), [1, 12, 12, 3]
    )
    one, two = layer_names(content)
    both = made(content, (one, "float16"), (two, "float16"))
    assert [kind for op, kind in kinds(both) if op == "CONV_2D"] == ["weight-only", "weight-only"]
    assert noise(content, both) < noise(content, made(content))
    mixed = made(content, (one, "float16"), (two, "float32"))
    assert noise(content, mixed) < noise(content, made(content))
