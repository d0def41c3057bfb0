"""What is advised, and the one sentence that sums up."""

from __future__ import annotations

import dataclasses

import pytest

from tfmobile.artifacts import Fidelity, Finding, LayerDiagnosis
from tfmobile.diagnosis import headline
from tfmobile.diagnosis.advice import DOES, advise
from tfmobile.diagnosis.causes import CAUSES, MODEL_CAUSES, meaning
from tfmobile.diagnosis.signs import Sign
from tfmobile.quantization.improvements.table import IMPROVEMENTS
from tfmobile.quantization.recipe import recipe

PLAIN = recipe("int8-fast")
SIGN = Sign(1.0, "It is so.", "leave 'a' float", ("correct-bias",))
GOOD, BAD = Fidelity(200, 0.99, 0.001, 40.0), Fidelity(200, 0.8, 0.2, 12.0)
LAYER = LayerDiagnosis("conv/Relu", "CONV_2D", 20.0, 0.9, 1.0, share=0.6)
FINDING = Finding("outlier-channel", "layer", "conv/Relu", "Channel 3 reaches 9.", "Do this; or do that.", 0.8)


def test_a_recipe_that_has_the_remedy_is_advised() -> None:
    assert advise(SIGN, PLAIN) == (
        "Try --recipe int8 (correct-bias), which corrects biases for the mean error; or leave 'a' float."
    )


def test_what_the_recipe_has_done_is_not_advised_again() -> None:
    used = dataclasses.replace(PLAIN, name="int8", improve=("correct-bias",))
    assert advise(SIGN, used, ["correct-bias"]).startswith("int8 has dealt with it (correct-bias); for what is left")
    assert advise(SIGN, used).startswith("Correct-bias did not help")


def test_a_sign_without_remedy_has_a_fix() -> None:
    assert advise(Sign(1.0, "", "scale it"), PLAIN) == "Scale it."


@pytest.mark.parametrize("cause", [*CAUSES, *MODEL_CAUSES])
def test_every_cause_says_what_it_is_in_one_sentence(cause: str) -> None:
    text = meaning(cause)
    assert text.endswith(".")
    assert ". " not in text


def test_every_remedy_is_an_improvement() -> None:
    assert set(DOES) <= set(IMPROVEMENTS)


def test_the_sentence_names_the_loss_the_layer_the_cause_and_the_fix() -> None:
    words = headline("int8", BAD, [FINDING], [LAYER], 0.7)
    assert words == (
        "int8 loses: 80.0 % of the answers as in float, on 200 samples; most of it, 60 %, in 'conv/Relu', because one "
        "channel, or a few, reach far beyond all others. Do this."
    )


def test_a_model_that_answers_like_float_needs_nothing() -> None:
    assert headline("int8", GOOD, [], [LAYER], 0.05).endswith("Nothing stands out that needs a fix.")


def test_wrong_data_go_first() -> None:
    data = Finding("preprocessing-mismatch", "data", "", "Pixels are not scaled.", "--mean 127.5", 0.9)
    assert "the data first (preprocessing mismatch): --mean 127.5" in headline(
        "int8", BAD, [data, FINDING], [LAYER], 0.7
    )


def test_what_ranges_alone_would_do_is_told_beside_it() -> None:
    assert "(by smallest and largest values alone 80.0 %)" in headline("int8", GOOD, [], [LAYER], 0.05, simple=BAD)


def test_a_model_that_does_not_run_has_its_cause_named() -> None:
    words = headline("int8", None, [FINDING], [], 1.0)
    assert words.startswith("The int8 model does not run, because one channel")
