"""Passes are believed only when the result answers like the original."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.artifacts import PassResult
from tfmobile.errors import DataError, UnknownNameError
from tfmobile.graph.distance import distance
from tfmobile.graph.edit import GraphEditor, constant
from tfmobile.graph.model import Graph, Node, TensorRef, TensorSpec
from tfmobile.graph.samples import random_samples
from tfmobile.passes import DEFAULT_PASSES, PASSES, calls, rewrite


def _network() -> Graph:
    import tensorflow as tf

    def build(x: Any) -> Any:
        hidden = tf.nn.relu(tf.matmul(x, tf.constant(np.eye(3, dtype="float32"), name="w")), name="hidden")
        return tf.nn.softmax(tf.add(hidden, [1.0, 2.0, 3.0], name="sum"), name="y")

    return tf1(build, (None, 3))


def _use(monkeypatch: pytest.MonkeyPatch, change: Callable[[GraphEditor], None]) -> None:
    @dataclasses.dataclass(frozen=True)
    class Wrong:
        name: ClassVar[str] = "wrong"
        keeps_answer: ClassVar[bool] = True

        def apply(self, graph: Graph) -> PassResult:
            editor = GraphEditor(graph)
            change(editor)
            return PassResult(editor.finish(), ("Changed something.",))

    monkeypatch.setattr(calls, "PASSES", {**PASSES, "wrong": f"{__name__}:_wrong"})
    globals()["_wrong"] = Wrong


def test_a_pass_that_changes_the_answer_is_refused_with_the_first_node_that_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change(editor: GraphEditor) -> None:
        editor.replace(Node("hidden", "Relu6", editor["hidden"].inputs, attrs=editor["hidden"].attrs))
        editor.replace(constant("w", np.eye(3, dtype="float32") * 100))

    _use(monkeypatch, change)
    graph = _network()
    result = rewrite(graph, ["wrong", "strip-unused"], [{"x": np.array([[0.0, 1.0, 9.0]], "float32")}])
    step = result.steps[0]
    assert step.refused
    assert step.max_rel is not None
    assert step.max_rel > step.tolerance
    assert step.first_difference is not None
    assert step.first_difference.startswith("'w' (Const) differs by 99")
    assert "moves by" in step.reason
    assert step.nodes_after == len(graph)
    assert result.graph is graph
    assert not result.steps[1].refused


def test_a_pass_that_gives_nan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, lambda editor: editor.replace(constant("w", np.full((3, 3), np.nan, "float32"))))
    step = rewrite(_network(), ["wrong"]).steps[0]
    assert step.refused
    assert "NaN" in step.reason
    assert step.max_rel is None


def test_a_pass_whose_graph_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, lambda editor: editor.replace(constant("w", np.ones((5, 3), "float32"))))
    step = rewrite(_network(), ["wrong"]).steps[0]
    assert step.refused
    assert "does not run" in step.reason


def test_samples_given_are_used_and_counted() -> None:
    feeds = [{"x": np.full((1, 3), value, "float32")} for value in range(4)]
    result = rewrite(_network(), samples=feeds)
    assert [step.name for step in result.steps] == list(DEFAULT_PASSES)
    assert all(step.samples == 4 and "random" not in step.reason for step in result.steps)


def test_without_samples_random_ones_stand_in_and_it_is_said() -> None:
    changed = [step for step in rewrite(_network()).steps if step.changed]
    assert all("random" in step.reason for step in changed)


def test_underscores_are_accepted_in_names_and_progress_is_told() -> None:
    told: list[tuple[str, int, int | None]] = []
    result = rewrite(_network(), ["strip_unused"], progress=lambda *args: told.append(args))
    assert result.steps[0].name == "strip-unused"
    assert told == [("rewrite", 0, 1), ("rewrite", 1, 1)]


def test_an_unknown_pass_is_named_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="fold-batch-norm'") as found:
        rewrite(_network(), ["fold-batch-norm"])
    assert "fold-batch-norms" in found.value.fixes[0]


def test_samples_that_do_not_fit_are_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, lambda editor: None)
    with pytest.raises(DataError):
        rewrite(_network(), ["wrong"], [{"x": np.ones(7)}])


def test_random_samples_are_the_same_every_time_and_of_the_right_type() -> None:
    specs = [
        TensorSpec("image", TensorRef("a"), "float32", (None, 4)),
        TensorSpec("ids", TensorRef("b"), "int64", (1, None)),
        TensorSpec("flag", TensorRef("c"), "bool", ()),
        TensorSpec("pixels", TensorRef("d"), "uint8", (1, 2)),
    ]
    graph = Graph({}, tuple(specs), ())
    first, second = random_samples(graph), random_samples(graph)
    assert {key: (value.dtype.name, value.shape) for key, value in first[0].items()} == {
        "image": ("float32", (1, 4)),
        "ids": ("int64", (1, 16)),
        "flag": ("bool", ()),
        "pixels": ("uint8", (1, 2)),
    }
    for key, value in first[0].items():
        np.testing.assert_array_equal(value, second[0][key])


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([np.inf, np.nan], [np.inf, np.nan], 0.0),
        ([1.0], [1.0, 2.0], np.inf),
        ([1, 2], [1, 4], 2.0),
    ],
)
def test_distance(ours: list[float], theirs: list[float], expected: float) -> None:
    assert distance(np.array(ours), np.array(theirs)) == expected


def test_a_nan_on_one_side_only_is_no_small_distance() -> None:
    assert not distance(np.array([1.0]), np.array([np.nan])) <= 1e9
