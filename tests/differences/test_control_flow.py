"""Branches and loops of TF1: what cannot be fetched is left out, and what comes after is compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.differences.models import of_graph
from tests.passes.freezing import tf1
from tfmobile.differences import diff_models
from tfmobile.differences.control_flow import inside
from tfmobile.graph.model import Graph


def _branching(weight: float) -> Graph:
    import tensorflow as tf

    def build(x: Any) -> Any:
        with tf.compat.v1.variable_scope("net"):
            before = tf.identity(x * 2.0, name="before")
            one = tf.compat.v1.cond(
                tf.reduce_sum(before) > 0,
                lambda: tf.multiply(before, weight, name="yes"),
                lambda: tf.subtract(before, 1.0, name="no"),
            )
            middle = tf.tanh(one, name="middle")
            two = tf.compat.v1.cond(tf.reduce_sum(middle) > 0, lambda: middle * 3.0, lambda: middle * 5.0)
        return tf.add(two, 1.0, name="end")

    return tf1(_old(build), (2, 3))


def _looping() -> Graph:
    import tensorflow as tf

    def build(x: Any) -> Any:
        def body(i: Any, value: Any) -> Any:
            return i + 1, tf.tanh(value, name="inner")

        _, result = tf.compat.v1.while_loop(lambda i, value: i < 3, body, (0, x))
        return tf.multiply(result, 2.0, name="after")

    return tf1(_old(build), (2, 3))


def _old(build: Any) -> Any:
    """``build`` with Switch and Merge instead of functions."""
    import tensorflow as tf

    def wrapped(x: Any) -> Any:
        was = tf.compat.v1.control_flow_v2_enabled()
        tf.compat.v1.disable_control_flow_v2()
        try:
            return build(x)
        finally:
            if was:
                tf.compat.v1.enable_control_flow_v2()

    return wrapped


def test_branches_are_inside_and_what_follows_a_merge_is_not() -> None:
    graph = _branching(4.0)
    assert {"Switch", "Merge"} <= {node.op for node in graph}
    hidden = inside(graph)
    assert {"net/before", "net/middle", "end"}.isdisjoint(hidden)
    assert {"net/cond/yes", "net/cond/no"} <= hidden


def test_a_loop_is_inside_and_its_exit_is_not() -> None:
    graph = _looping()
    hidden = inside(graph)
    assert any(name.endswith("inner") for name in hidden)
    assert "after" not in hidden
    assert not {node.name for node in graph if node.op == "Exit"} & hidden


def test_a_divergence_inside_a_branch_shows_where_the_branches_meet() -> None:
    feeds = [{"x": np.ones((2, 3), "float32")}]
    diff = diff_models(of_graph(_branching(4.0)), of_graph(_branching(7.0)), data="ones", feeds=lambda inputs: feeds)
    first = diff.numbers.first
    assert first is not None
    assert first.tensor.op == "Merge"
    assert first.inputs_agree
    assert diff.numbers.not_compared > 0
    assert any("in branches or loops" in note for note in diff.notes)


def test_a_loop_is_run_and_compared_at_its_ends() -> None:
    diff = diff_models(of_graph(_looping()), of_graph(_looping()))
    assert diff.outputs_agree
    assert "after" in {gap.name for gap in diff.numbers.tensors}
