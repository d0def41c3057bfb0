from __future__ import annotations

from tfmobile.artifacts import OpFact, SizeFact, TensorFact, TFLiteModel
from tfmobile.targets import preflight, target


def model(
    *ops: str,
    dtype: str = "int8",
    shape: tuple[int, ...] = (1, 8, 8, 3),
    kind: str = "integer",
) -> TFLiteModel:
    return TFLiteModel(
        content=b"",
        recipe="",
        backend="",
        inputs=(TensorFact("x", shape, dtype),),
        outputs=(TensorFact("y", (1, 10), dtype),),
        ops=tuple(OpFact(index, op, f"t{index}", kind) for index, op in enumerate(ops)),
        size=SizeFact(0, 0, 0, 0, 0, 0),
    )


def test_an_integer_model_of_known_operators_fits_the_edge_tpu() -> None:
    result = preflight(model("CONV_2D", "SOFTMAX"), target("edge-tpu"), "int8")
    assert result.ok
    assert result.problems == ()
    assert result.target == "edge-tpu"


def test_an_operator_the_edge_tpu_does_not_have_is_named_as_a_prediction() -> None:
    result = preflight(model("CONV_2D", "ELU", "ELU"), target("edge-tpu"), "int8")
    assert not result.ok
    assert result.problems[0].startswith("Prediction, not compiled: ")
    assert "ELU ×2" in result.problems[0]


def test_float_inputs_float_operators_and_another_recipe_each_get_a_sentence() -> None:
    found = preflight(model("CONV_2D", dtype="float32", kind="float"), target("edge-tpu"), "float16").problems
    assert len(found) == 3
    assert any("--recipe int8" in sentence for sentence in found)
    assert any("--io int8" in sentence for sentence in found)
    assert any("CONV_2D" in sentence for sentence in found)


def test_a_recipe_of_the_users_own_is_judged_by_what_it_made() -> None:
    assert preflight(model("CONV_2D"), target("edge-tpu"), "").ok
    (sentence,) = preflight(model("CONV_2D", kind="float"), target("edge-tpu"), "").problems
    assert "CONV_2D" in sentence


def test_a_batch_is_a_problem_of_the_edge_tpu() -> None:
    (sentence,) = preflight(model("CONV_2D", shape=(4, 8, 8, 3)), target("edge-tpu"), "int8").problems
    assert "[4, 8, 8, 3]" in sentence


def test_an_open_dimension_is_a_problem_of_microcontrollers_but_not_of_phones() -> None:
    open_model = model("CONV_2D", shape=(-1, 8, 8, 3))
    (sentence,) = preflight(open_model, target("microcontroller"), "int8").problems
    assert "--input-shape" in sentence
    assert preflight(open_model, target("android"), "int8").ok


def test_tensorflow_operators_are_a_problem_everywhere() -> None:
    for name in ("cpu", "android", "ios", "raspberry-pi"):
        (sentence,) = preflight(model("CONV_2D", "FlexErf"), target(name), "int8").problems
        assert "FlexErf" in sentence


def test_four_bit_weights_are_refused_where_the_runtime_answers_wrongly() -> None:
    (sentence,) = preflight(model("CONV_2D"), target("raspberry-pi-32"), "weight-int4").problems
    assert "weight-int4" in sentence
