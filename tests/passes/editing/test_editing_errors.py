"""Passes that edit names and attributes: what is wrong is told at its column, and what is not there with its like."""

from __future__ import annotations

import pytest

from tfmobile.errors import PassSyntaxError, UsageError
from tfmobile.graph.model import Graph
from tfmobile.graph.text_parser import parse_graph
from tfmobile.passes import make_pass, plan_passes, rewrite


def _graph() -> Graph:
    return parse_graph("""
        input x: float32[1,2] = x
        output y: float32[1,2] = y
        x = Placeholder {dtype=float32, shape=[1,2]}
        tower/first = Neg(x) {T=float32}
        y = Relu(tower/first) {T=float32}
    """)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("remove_attribute", "needs attribute_name"),
        ('remove_attribute(attribute_name="")', "attribute_name is empty"),
        ("rename_attribute(old_attribute_name=a)", "needs new_attribute_name"),
        ('rename_attribute(old_attribute_name=a, new_attribute_name="")', "must not be empty"),
        ("rename_attribute(old_attribute_name=a, new_attribute_name=a)", "are the same"),
        ("rename_op(old_op_name=Add)", "needs new_op_name"),
        ("rename_op(old_op_name=Add, new_op_name=Add)", "are the same"),
        ('rename_op(old_op_name=Add, new_op_name="Add V2")', "cannot be the name of an op"),
        ("rename_node(new_node_name=b)", "needs old_node_name"),
        ("rename_node(old_node_name=a, new_node_name=a)", "are the same"),
        ('rename_node(old_node_name=a, new_node_name="a:0")', "cannot be the name of a node"),
        ("rename_node(old_node_name=a, new_node_name=_a)", "cannot be the name of a node"),
        ("set_device(if_default=true)", "needs device"),
        ("remove_nodes(max_inputs=2)", "needs op"),
        ('remove_nodes(op="*")', "each op must be named"),
        ('remove_nodes(op="")', "each op must be named"),
        ("remove_nodes(op=Identity, max_inputs=0)", "max_inputs is at least 1, not 0"),
        ("insert_logging(first_n=-2)", "first_n is a number of runs"),
        ("insert_logging(summarize=-2)", "summarize is a number of values"),
    ],
)
def test_missing_and_wrong_arguments_point_at_the_pass(call: str, words: str) -> None:
    text = f"strip_unused {call}"
    with pytest.raises(PassSyntaxError) as found:
        plan_passes(text)
    assert "at column 14:" in found.value.what
    assert words in found.value.what


def test_a_name_that_is_taken_is_refused_and_the_node_that_has_it_told() -> None:
    with pytest.raises(UsageError, match="a node is called 'y' already") as found:
        make_pass("rename_node(old_node_name=x, new_node_name=y)").apply(_graph())
    assert "Relu" in found.value.why
    assert found.value.fixes


def test_a_node_that_is_not_there_is_told_with_the_one_most_like_it() -> None:
    with pytest.raises(UsageError, match="no node 'tower/firts'; did you mean 'tower/first'"):
        make_pass("rename_node(old_node_name=tower/firts, new_node_name=first)").apply(_graph())


def test_a_failed_pass_leaves_the_graph_and_the_others_go_on() -> None:
    graph = _graph()
    result = rewrite(
        graph, "rename_node(old_node_name=x, new_node_name=y) rename_op(old_op_name=Relu, new_op_name=Elu)"
    )
    assert result.steps[0].refused
    assert "called 'y' already" in result.steps[0].reason
    assert result.graph.nodes["y"].op == "Elu"


def test_an_attribute_that_must_be_there_cannot_be_removed() -> None:
    (step,) = rewrite(_graph(), "remove_attribute(attribute_name=dtype)").steps
    assert step.refused
    assert "does not run" in step.reason


def test_an_op_for_another_runtime_is_let_through_and_not_compared() -> None:
    result = rewrite(_graph(), "rename_op(old_op_name=Relu, new_op_name=FancyRelu)")
    (step,) = result.steps
    assert not step.refused
    assert step.max_rel is None
    assert "FancyRelu" in step.reason
    assert result.graph.nodes["y"].op == "FancyRelu"


def test_how_far_a_removed_op_moves_the_answer_is_told() -> None:
    (step,) = rewrite(_graph(), "remove_nodes(op=Neg)").steps
    assert not step.refused
    assert step.max_rel is not None
    assert step.max_rel > 0.1
