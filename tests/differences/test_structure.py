"""Nodes added, removed, renamed and changed between two graphs."""

from __future__ import annotations

import pytest

from tests.differences.models import NETWORK, changed_to, fields, of_graph, of_text
from tfmobile.differences import diff_models
from tfmobile.graph.text_parser import parse_graph


def test_a_graph_and_itself_are_the_same_in_structure_and_numbers() -> None:
    diff = changed_to()
    assert diff.structure.same
    assert diff.structure.matched == 9
    assert diff.outputs_agree
    assert {gap.max_abs for gap in diff.numbers.tensors} == {0.0}


def test_added_and_removed_nodes_are_listed_in_order_and_counted_by_op() -> None:
    diff = changed_to(
        ("read = Identity(w) {T=float32}\n", ""),
        ("MatMul(x, read)", "MatMul(x, w)"),
        ("act = Tanh(bias) {T=float32}", "act = Tanh(bias) {T=float32}\nz = Relu(act) {T=float32}"),
    )
    assert [(node.name, node.op) for node in diff.structure.only_a] == [("read", "Identity")]
    assert [(node.name, node.op) for node in diff.structure.only_b] == [("z", "Relu")]
    assert fields(diff) == {"dense": ["input 1: read → w"]}
    counts = {one.op: (one.before, one.after) for one in diff.structure.ops}
    assert counts["Identity"] == (1, 0)
    assert counts["Relu"] == (0, 1)
    assert counts["MatMul"] == (2, 2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("= Tanh(bias)", "= Relu(bias)"), {"act": ["op: Tanh → Relu"]}),
        (
            ("read) {T=float32, transpose_a=false, transpose_b=false}", "read) {T=float32, transpose_b=true}"),
            {"dense": ["transpose_b: false → true"]},
        ),
        (("MatMul(act, w2)", "MatMul(bias, w2)"), {"y": ["input 0: act → bias"]}),
        (("MatMul(act, w2)", "MatMul(act, w2, ^bias)"), {"y": ["control inputs: none → bias"]}),
        (("Tanh(bias) {T=float32}", 'Tanh(bias) {T=float32} @"/cpu:0"'), {"act": ["device: absent → /cpu:0"]}),
        (("(0.5, 0.25)", "(0.5, 0.75)"), {"b": ["value: float32[2] (0.5, 0.25) → float32[2] (0.5, 0.75)"]}),
    ],
)
def test_what_changed_about_a_node_is_told(change: tuple[str, str], expected: dict[str, list[str]]) -> None:
    assert fields(changed_to(change)) == expected


def test_an_attribute_that_is_left_out_has_its_default() -> None:
    diff = changed_to((", transpose_a=false, transpose_b=false", ""), (', data_format="NHWC"', ""))
    assert diff.structure.same


def test_how_far_a_constant_moved_is_measured() -> None:
    (node,) = changed_to(("(1.0, 2.0, 3.0, 4.0)", "(1.0, 2.0, 3.5, 4.0)")).structure.changed
    (field,) = node.fields
    assert (field.what, field.max_abs, field.max_rel) == ("value", 0.5, 0.125)


def test_a_constant_of_another_shape_is_told_without_a_distance() -> None:
    (node,) = changed_to(("b = Const float32[2] (0.5, 0.25)", "b = Const float32[1] (0.5)")).structure.changed
    (field,) = node.fields
    assert (field.before, field.after) == ("float32[2] (0.5, 0.25)", "float32[1] (0.5)")
    assert field.max_abs is None


def test_the_same_content_under_other_names_is_renamed() -> None:
    renames = [("dense", "d1"), ("bias", "d2"), ("act", "d3"), ("read", "d4"), ("w2", "d5"), ("b = ", "d6 = ")]
    text = NETWORK
    for old, new in [*renames, (", b)", ", d6)")]:
        text = text.replace(old, new)
    diff = diff_models(of_text(), of_graph(parse_graph(text)))
    assert diff.structure.same
    found = {(node.name, node.other) for node in diff.structure.renamed}
    assert found == {("dense", "d1"), ("bias", "d2"), ("act", "d3"), ("read", "d4"), ("w2", "d5"), ("b", "d6")}
    assert diff.outputs_agree
    assert diff.numbers.first is None
    assert len(diff.numbers.tensors) == 4


def test_another_training_under_other_names_is_matched_layer_by_layer() -> None:
    text = NETWORK.replace("(1.0, 2.0, 3.0, 4.0)", "(1.5, 2.0, 3.0, 4.0)").replace(
        "(0.5, -1.0, 1.0, 0.25)", "(9.0, 8.0, 7.0, 6.0)"
    )
    for old, new in (
        ("dense", "d1"),
        ("bias", "d2"),
        ("act", "d3"),
        ("read", "d4"),
        ("w2", "d5"),
        ("w", "d6"),
        ("y", "z"),
    ):
        text = text.replace(f"{old} =", f"{new} =").replace(f"{old},", f"{new},").replace(f" {old})", f" {new})")
        text = text.replace(f"({old})", f"({new})").replace(f"({old},", f"({new},")
    text = text.replace("output y: float32[?,2] = y", "output y: float32[?,2] = z")
    diff = diff_models(of_text(), of_graph(parse_graph(text)))
    assert not diff.structure.only_a
    assert not diff.structure.only_b
    assert {node.name: node.other for node in diff.structure.changed} == {"w": "d6", "w2": "d5"}
    assert diff.numbers.first is not None
    assert diff.numbers.first.tensor.other == "d1"


def test_equal_constants_that_are_merged_are_no_change_of_what_reads_them_but_of_the_edge() -> None:
    text = NETWORK.replace("(0.5, -1.0, 1.0, 0.25)", "(1.0, 2.0, 3.0, 4.0)")
    diff = changed_to(
        ("w2 = Const float32[2,2] (1.0, 2.0, 3.0, 4.0)\n", ""), ("MatMul(act, w2)", "MatMul(act, w)"), text=text
    )
    assert [node.name for node in diff.structure.only_a] == ["w2"]
    assert fields(diff) == {"y": ["input 1: w2 → w"]}
    assert diff.outputs_agree


def test_a_constant_under_another_name_is_matched_through_what_reads_it() -> None:
    (node,) = changed_to(
        ("b = Const float32[2] (0.5, 0.25)", "c = Const float32[2] (9.0, 9.0)"), ("(dense, b)", "(dense, c)")
    ).structure.changed
    assert (node.name, node.other, node.fields[0].max_abs) == ("b", "c", 8.75)
