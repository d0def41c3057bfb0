"""Both graphs on the same samples: gaps, outputs, the first divergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tests.differences.models import NETWORK, changed_to, of_graph, of_text
from tests.passes.freezing import tf1
from tfmobile.artifacts import TensorFact
from tfmobile.differences import diff_models
from tfmobile.differences.tally import Tally
from tfmobile.errors import DataError
from tfmobile.graph.model import Array
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import rewrite


def test_the_first_node_that_reads_a_changed_weight_is_the_first_divergence() -> None:
    diff = changed_to(("(0.5, 0.25)", "(0.5, 0.75)"))
    first = diff.numbers.first
    assert first is not None
    assert (first.tensor.name, first.tensor.op) == ("bias", "BiasAdd")
    assert first.tensor.max_abs == pytest.approx(0.5)
    assert first.inputs_agree
    assert first.facts == (
        "It reads the constant 'b', which moved by up to 0.5 (1 of its largest value).",
        "Its input 'dense' still agrees.",
    )
    assert [gap.name for gap in diff.numbers.tensors if gap.differs] == ["bias", "act", "y"]
    assert not diff.outputs_agree


def test_a_weight_behind_identity_is_named_itself() -> None:
    first = changed_to(("(1.0, 2.0, 3.0, 4.0)", "(1.0, 2.0, 3.0, 5.0)")).numbers.first
    assert first is not None
    assert first.tensor.name == "dense"
    assert "'w', which moved by up to 1 " in first.facts[0]
    assert first.facts[1] == "Its input 'x' is what both were fed."


def test_a_constant_that_the_other_does_not_have_is_named() -> None:
    new = "c = Const float32[2,2] (9.0, 2.0, 3.0, 4.0)\ndense = "
    first = changed_to(("dense = ", new), ("MatMul(x, read)", "MatMul(x, c)")).numbers.first
    assert first is not None
    assert first.facts[0] == "It reads the constant 'c', which A does not have."


def test_a_changed_attribute_is_part_of_the_story() -> None:
    first = changed_to(
        ("read) {T=float32, transpose_a=false, transpose_b=false}", "read) {T=float32, transpose_b=true}")
    )
    assert first.numbers.first is not None
    assert first.numbers.first.facts[0] == "Its transpose_b: false in A, true in B."


def test_the_divergence_is_found_behind_a_node_that_only_b_has() -> None:
    diff = changed_to(
        ("act = Tanh(bias)", "half = Const float32[] (0.5)\nscaled = Mul(bias, half) {T=float32}\nact = Tanh(scaled)")
    )
    first = diff.numbers.first
    assert first is not None
    assert first.tensor.name == "act"
    assert first.facts[-1] == "'bias', before it, still agrees."


def test_tolerance_says_what_differs() -> None:
    one, other = of_text(), of_text(("(0.5, 0.25)", "(0.5, 0.2501)"))
    assert not diff_models(one, other, tolerance=1e-6).outputs_agree
    assert diff_models(one, other, tolerance=1e-2).outputs_agree


def test_a_shape_that_changes_is_a_divergence_without_numbers() -> None:
    text = NETWORK.replace("[?,2] = y", "[?,2] = act")
    diff = changed_to(
        ("b = Const float32[2] (0.5, 0.25)", "b = Const float32[3] (0.5, 0.25, 1.0)"),
        ("w = Const float32[2,2] (1.0, 2.0, 3.0, 4.0)", "w = Const float32[2,3] (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)"),
        text="\n".join(line for line in text.splitlines() if not line.startswith(("y =", "w2 ="))),
    )
    first = diff.numbers.first
    assert first is not None
    assert (first.tensor.name, first.tensor.shape, first.tensor.other_shape) == ("dense", (1, 2), (1, 3))
    assert first.tensor.max_abs is None
    assert not diff.outputs_agree


def test_a_renamed_layer_with_its_norm_folded_in_is_no_divergence() -> None:
    import tensorflow as tf

    def build(x: object) -> object:
        values = np.arange(8, dtype="float32").reshape(1, 1, 2, 4)
        hidden = tf.nn.conv2d(x, tf.constant(values, name="w"), 1, "SAME", name="conv")
        scale, offset, mean, variance = (tf.constant([1.0, 2.0, 3.0, 4.0], name=name) for name in "abcd")
        normal, *_ = tf.compat.v1.nn.fused_batch_norm(
            hidden, scale, offset, mean, variance, is_training=False, name="norm"
        )
        return tf.nn.relu(normal, name="relu")

    before = tf1(build, (1, 4, 4, 2))
    after = rewrite(before, "fold_batch_norms").graph
    diff = diff_models(of_graph(before), of_graph(after))
    assert diff.outputs_agree
    assert diff.numbers.first is None
    assert {gap.name for gap in diff.numbers.tensors} == {"norm", "relu"}
    assert any("stands in their place" in note for note in diff.notes)
    assert diff.numbers.not_compared == 1


def test_data_takes_the_place_of_random_samples() -> None:
    asked: list[Sequence[TensorFact]] = []

    def feeds(inputs: Sequence[TensorFact]) -> Sequence[Mapping[str, Array]]:
        asked.append(inputs)
        return [{"x": np.zeros((1, 2), "float32")}] * 3

    diff = diff_models(of_text(), of_text(("(1.0, 2.0, 3.0, 4.0)", "(5.0, 2.0, 3.0, 4.0)")), data="zeros/", feeds=feeds)
    assert (diff.numbers.samples, diff.numbers.source) == (3, "zeros/")
    assert asked[0][0].shape == (1, 2)
    assert diff.outputs_agree, "zeros hide the weights"


def test_data_that_does_not_fit_raises() -> None:
    with pytest.raises(DataError):
        diff_models(of_text(), of_text(), data="d", feeds=lambda inputs: [{"x": np.zeros((1, 3), "float32")}])


def test_other_inputs_leave_the_structure_only_and_say_so() -> None:
    other = of_text(("x: float32[?,2]", "x: float32[?,5]"), ("shape=[?,2]", "shape=[?,5]"))
    diff = diff_models(of_text(), other)
    assert diff.numbers.reason.startswith("Not run: the inputs are not the same: A takes 'x' float32[?, 2]")
    assert not diff.outputs_agree
    assert diff.structure.matched == 9


def test_inputs_and_outputs_of_other_names_are_paired_by_position() -> None:
    diff = changed_to(("x: float32", "image: float32"), ("y: float32", "probs: float32"))
    assert diff.outputs_agree
    assert [(gap.name, gap.other) for gap in diff.numbers.outputs] == [("y", "probs")]


def test_an_output_without_counterpart_is_noted() -> None:
    diff = changed_to(("output y: float32[?,2] = y", "output y: float32[?,2] = y\noutput act: float32[?,2] = act"))
    assert diff.outputs_agree
    assert "Without a counterpart among the outputs: 'act' of B." in diff.notes


def test_a_graph_that_does_not_run_is_told_and_the_structure_stays() -> None:
    diff = changed_to(("act = Tanh(bias)", "act = NoSuchOp(bias)"))
    assert diff.numbers.reason.startswith("B could not be run. TensorFlow has no op 'NoSuchOp'")
    assert diff.structure.changed[0].name == "act"


def test_what_no_output_needs_is_not_run() -> None:
    diff = changed_to(("act = Tanh(bias)", "lost = NoSuchOp(bias) {T=float32}\nact = Tanh(bias)"))
    assert [node.name for node in diff.structure.only_b] == ["lost"]
    assert diff.outputs_agree


def test_a_graph_that_answers_differently_each_time_is_noted() -> None:
    text = NETWORK.replace(
        "act = Tanh(bias)",
        "size = Const int32[2] (1, 2)\n"
        "noise = RandomUniform(size) {T=int32, dtype=float32, seed=0, seed2=0}\n"
        "sum = AddV2(bias, noise) {T=float32}\nact = Tanh(sum)",
    )
    notes = diff_models(of_text(), of_graph(parse_graph(text))).notes
    assert any(note.startswith("B answers differently each time") for note in notes)


def test_a_node_may_have_several_outputs() -> None:
    text = """
    input x: float32[1,4] = x
    output y: float32[1,2] = y
    x = Placeholder {dtype=float32, shape=[1,4]}
    axis = Const int32[] (1)
    two = Split(axis, x) {T=float32, num_split=2}
    y = Sub(two, two:1) {T=float32}
    """
    diff = changed_to(("Sub(two, two:1)", "Sub(two:1, two)"), text=text)
    assert [gap.name for gap in diff.numbers.tensors] == ["two", "two:1", "y"]
    assert diff.numbers.first is not None
    assert diff.numbers.first.tensor.name == "y"


def test_infinities_and_nans_in_the_same_places_agree() -> None:
    tally = Tally()
    tally.see(np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0]))
    gap = tally.gap("a", "b", "Op", 1e-4)
    assert not gap.differs
    assert gap.max_abs == 0


def test_nan_on_one_side_differs_and_stays_so() -> None:
    tally = Tally()
    tally.see(np.array([1.0, 2.0]), np.array([1.0, np.nan]))
    tally.see(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert tally.gap("a", "b", "Op", 1e-4).differs


def test_snr_and_cosine_are_over_all_samples() -> None:
    tally = Tally()
    tally.see(np.array([3.0]), np.array([3.0]))
    tally.see(np.array([4.0]), np.array([4.5]))
    gap = tally.gap("a", "b", "Op", 1e-4)
    assert gap.snr_db == pytest.approx(10 * np.log10(25 / 0.25))
    assert gap.cosine == pytest.approx((9 + 18) / np.sqrt(25 * (9 + 20.25)))
    assert gap.max_rel == pytest.approx(0.5 / 4)


def test_large_tensors_are_fetched_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfmobile.differences.numbers._CHUNK_BYTES", 1)
    diff = changed_to(("(0.5, 0.25)", "(0.5, 0.75)"))
    assert len(diff.numbers.tensors) == 4
    assert diff.numbers.first is not None
    assert diff.numbers.first.tensor.name == "bias"
