"""Changing a graph."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tfmobile.graph.edit import GraphEditor, in_order
from tfmobile.graph.model import Graph, Node, TensorRef, TensorSpec
from tfmobile.graph.text import print_graph
from tfmobile.graph.text_parser import parse_graph

TEXT = """\
input x: float32[2] = x
output y: float32[2] = y
x = Placeholder
a = Neg(x)
b = Neg(a)
side = Neg(a)
y = AddV2(a, b, ^side)
"""


def test_redirect_moves_every_reader_and_prune_drops_what_is_left_over() -> None:
    editor = GraphEditor(parse_graph(TEXT))
    editor.redirect(TensorRef("a"), TensorRef("x"))
    editor.redirect_controls("side", [])
    assert print_graph(editor.finish()).splitlines()[2:] == ["x = Placeholder", "b = Neg(x)", "y = AddV2(x, b)"]


def test_the_graph_given_is_never_changed() -> None:
    graph = parse_graph(TEXT)
    editor = GraphEditor(graph)
    editor.redirect(TensorRef("a"), TensorRef("x"))
    editor.add_constant("c", np.array(1.0), beside="y")
    editor.finish()
    assert print_graph(graph) == TEXT


def test_new_nodes_stand_before_the_node_they_are_made_for_in_the_order_they_were_added() -> None:
    editor = GraphEditor(parse_graph(TEXT))
    first = editor.add_constant("b", np.array(1.0), beside="b")
    editor.add(Node("second", "Neg", (first,)), beside="b")
    assert first == TensorRef("b_1")
    assert list(editor.finish(prune=False).nodes) == ["x", "a", "b_1", "second", "b", "side", "y"]


def test_only_reader_knows_other_readers_and_outputs() -> None:
    editor = GraphEditor(parse_graph(TEXT))
    assert editor.only_reader(TensorRef("a")) is None
    assert editor.only_reader(TensorRef("y")) is None
    reader = editor.only_reader(TensorRef("b"))
    assert reader is not None
    assert reader.name == "y"


def test_a_node_that_is_still_read_cannot_be_removed() -> None:
    editor = GraphEditor(parse_graph(TEXT))
    with pytest.raises(ValueError, match="'a' is still needed"):
        editor.remove("a")
    with pytest.raises(ValueError, match="'y' is still needed"):
        editor.remove("y")


def test_nodes_are_put_in_order_and_loops_come_last() -> None:
    graph = parse_graph("b = Neg(a)\nloop = Merge(a, next)\nnext = NextIteration(loop)\na = Placeholder\n")
    assert [node.name for node in in_order(graph)] == ["a", "b", "loop", "next"]


def test_a_chain_ten_times_as_long_takes_about_ten_times_as_long() -> None:
    from tfmobile.passes.fold_batch_norms import FoldBatchNorms
    from tfmobile.passes.remove_training_nodes import RemoveTrainingNodes
    from tfmobile.passes.strip_unused import StripUnused

    def seconds(length: int) -> float:
        nodes = {"x": Node("x", "Placeholder")}
        for index in range(length):
            before = TensorRef(f"n{index - 1}") if index else TensorRef("x")
            op = "Identity" if index % 2 else "Relu"
            nodes[f"n{index}"] = Node(f"n{index}", op, (before,), ("x",))
        specs = [TensorSpec(name, TensorRef(name), "float32", (1,)) for name in ("x", f"n{length - 1}")]
        graph = Graph(nodes, (specs[0],), (specs[1],))
        best = float("inf")
        for _ in range(2):
            start = time.process_time()
            for one in (StripUnused(), RemoveTrainingNodes(), FoldBatchNorms()):
                one.apply(graph)
            best = min(best, time.process_time() - start)
        return best

    seconds(100)
    assert seconds(20000) < 40 * seconds(2000)
