from __future__ import annotations

from tests.quantization.small_models import network, samples
from tfmobile.quantization import calibrate, layer_errors, quantize, recipe

FEEDS = [feed for _, feed in samples(4)]


def test_every_layer_of_the_int8_model_has_a_signal_to_noise_ratio_in_execution_order() -> None:
    content = quantize(network(), recipe("int8"), calibrate(network(), samples(10), source="test"))
    errors = layer_errors(network(), content, FEEDS)
    assert [error.op for error in errors] == [
        "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX",
    ]  # fmt: skip
    assert all(5 < error.snr_db < 80 for error in errors)


def test_a_model_against_itself_has_no_noise() -> None:
    assert {error.snr_db for error in layer_errors(network(), network(), FEEDS)} == {120.0}


def test_wider_activations_have_less_noise() -> None:
    ranges = calibrate(network(), samples(10), source="test")
    wide, narrow = (
        layer_errors(network(), quantize(network(), recipe(name), ranges), FEEDS) for name in ("int16x8", "int8")
    )
    assert wide[-1].snr_db > narrow[-1].snr_db


def test_there_is_nothing_to_say_without_samples() -> None:
    assert layer_errors(network(), network(), []) == ()
