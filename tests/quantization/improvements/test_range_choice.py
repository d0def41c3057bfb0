"""Ranges are chosen by the answers: what changes nothing behind a tensor is clipped, what matters is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import Given, const, weights
from tfmobile.artifacts import Calibration
from tfmobile.conversion import convert
from tfmobile.datasets.stored import store
from tfmobile.graph.model import Array, Graph
from tfmobile.progress import silent
from tfmobile.quantization import quantize, recipe
from tfmobile.quantization.improvements import range_choice
from tfmobile.quantization.improvements.draft import Draft, Samples
from tfmobile.quantization.improvements.range_choice import improve
from tfmobile.quantization.ranges import choose
from tfmobile.quantization.ranges.groups import find_groups
from tfmobile.quantization.ranges.trials import SMALLEST_SCALE, Trials, rounded
from tfmobile.quantization.statistics import measure_statistics
from tfmobile.runtime import run

SHAPE = [1, 8, 8, 4]


def classifier(tail: Callable[[Any], Any] | None = None) -> Graph:
    """What is negative in the input is lost behind the first layer."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        each = np.eye(4).reshape(1, 1, 4, 4)
        x = tf.nn.relu(tf.nn.conv2d(x, const(each, "first/w"), 1, "SAME", name="first"), name="act")
        x = tail(x) if tail else x
        x = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x, const(weights(3, 3, 4, 16), "w"), 1, "SAME")), [1, 2])
        return tf.nn.softmax(tf.matmul(x, const(12 * weights(16, 8, seed=1), "dense/w")), name="answer")

    return tf1(build, SHAPE)


def with_silence(count: int = 40, depth: float = -200.0, seed: int = 0) -> list[dict[str, Array]]:
    """Values of 0 to 1, and among them ones far below 0."""
    generator = np.random.default_rng(seed)
    found = generator.uniform(0, 1, (count, *SHAPE)).astype(np.float32)
    found[generator.uniform(size=found.shape) < 0.02] = depth
    return [{"x": value} for value in found]


def drafted(graph: Graph, samples: Samples) -> Draft:
    floating = convert(graph)
    statistics = measure_statistics(floating, samples)
    ranges = choose(statistics, "min-max")
    return Draft(graph, floating, statistics, ranges, b"", recipe("int8-fast"))


def error(draft: Draft, feeds: Sequence[dict[str, Array]]) -> float:
    """The mean error of the .tflite's answers."""
    content = quantize(draft.floating, draft.recipe, Calibration(draft.ranges, 1, "test"), io="float32")
    pairs = zip(run(draft.floating, feeds), run(content, feeds), strict=True)
    return float(np.mean([np.abs(exact[key] - found[key]).mean() for exact, found in pairs for key in exact]))


def test_values_that_change_no_answer_are_clipped() -> None:
    samples = Given(with_silence())
    draft = drafted(classifier(), samples)
    assert draft.ranges["x"][0] == -200
    result = improve(draft, samples, silent)
    assert result.graph is None
    assert result.ranges is not None
    low, high = result.ranges["x"]
    assert -40 < low <= 0
    assert 0.9 < high <= 1
    assert any(sentence.startswith("'x': -200 … 1 became") for sentence in result.changed)
    unseen = with_silence(seed=1)
    after = dataclasses.replace(draft, ranges={**draft.ranges, **result.ranges})
    assert error(after, unseen) < error(draft, unseen) / 2


def test_values_that_matter_are_not_clipped() -> None:
    """Few values are large, and they decide."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        x = tf.reduce_max(tf.nn.relu(x, name="act"), [1, 2])
        return tf.nn.softmax(tf.matmul(x, const(0.3 * np.eye(4), "dense/w")), name="answer")

    generator = np.random.default_rng(0)
    feeds = []
    for _ in range(40):
        value = generator.uniform(0, 0.2, SHAPE).astype(np.float32)
        value[0, 3, 3] = generator.uniform(0, 20, 4)
        feeds.append({"x": value})
    samples = Given(feeds)
    draft = drafted(tf1(build, SHAPE), samples)
    assert choose(draft.statistics, "percentile-99.9")["x"][1] < 20
    for low, high in (improve(draft, samples, silent).ranges or {"x": draft.ranges["x"]}).values():
        assert high > 17
        assert low == 0


def test_where_nothing_can_be_gained_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_choice, "Trials", lambda *_: pytest.fail("a session was opened"))
    generator = np.random.default_rng(0)
    samples = Given([{"x": generator.uniform(0, 6, SHAPE).astype(np.float32)} for _ in range(20)])

    def build(x: Any) -> Any:
        import tensorflow as tf

        return tf.nn.relu6(tf.nn.conv2d(x, const(np.eye(4).reshape(1, 1, 4, 4), "w"), 1, "SAME"), name="answer")

    result = improve(drafted(tf1(build, SHAPE), samples), samples, silent)
    assert result.ranges is None
    assert "values fill them" in result.skipped[0]


def test_tensors_that_must_share_a_range_get_the_same_one() -> None:
    import tensorflow as tf

    def tail(x: Any) -> Any:
        other = tf.nn.relu(tf.nn.conv2d(x, const(weights(1, 1, 4, 2), "other/w"), 1, "SAME"))
        return tf.reshape(tf.nn.max_pool2d(tf.concat([x, 60 * x * x, other], 3)[..., :4], 1, 1, "SAME"), SHAPE)

    samples = Given(with_silence())
    graph = classifier(tail)
    groups, lost = find_groups(convert(graph), graph)
    assert not lost
    shared = [group for group in groups if len(group.sources) > 1]
    assert len(shared) == 1
    assert len(shared[0].keys) > len(shared[0].source_keys) >= 3
    assert not any("answer" in key for group in groups for key in group.keys)
    result = improve(drafted(graph, samples), samples, silent)
    changed = result.ranges or {}
    for group in groups:
        assert len({changed.get(key) for key in group.keys}) == 1


def test_an_average_pool_rounds_once_more() -> None:
    import tensorflow as tf

    graph = classifier(lambda x: tf.nn.avg_pool2d(x, 2, 1, "SAME", name="pool"))
    groups, _ = find_groups(convert(graph), graph)
    (group,) = [group for group in groups if group.again]
    assert [ref.node for ref in group.sources] == ["act"]
    assert [ref.node for ref in group.again] == ["pool"]
    with Trials(graph, with_silence(6)) as trials:
        twice = trials.divergence(group, (0.0, 1.0), 6)
        once = trials.divergence(dataclasses.replace(group, again=()), (0.0, 1.0), 6)
    assert twice.shape == once.shape == (6,)
    assert not np.allclose(twice, once)


def test_several_samples_at_once_are_as_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    graph = classifier(lambda x: tf.reshape(tf.reshape(x, [1, 64, 4]), SHAPE))
    groups, _ = find_groups(convert(graph), graph)
    feeds = with_silence(5)
    found = []
    for batchable in (range_choice.Trials.__init__.__globals__["batchable"], lambda _: None):
        monkeypatch.setitem(range_choice.Trials.__init__.__globals__, "batchable", batchable)
        with Trials(graph, feeds) as trials:
            found.append([trials.divergence(group, (0.0, 0.9), 4) for group in groups])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-6)


def test_the_result_is_the_same_each_time_and_in_any_order(tmp_path: Path) -> None:
    feeds = with_silence(30)
    found = []
    for place, order in enumerate((feeds, feeds[::-1], feeds)):
        with store(((str(number), None, feed) for number, feed in enumerate(order)), tmp_path / str(place)) as samples:
            result = improve(drafted(classifier(), samples), samples, silent)
            found.append((result.ranges, result.changed, result.skipped))
    assert found[0] == found[1] == found[2]


def test_samples_that_were_set_aside_are_not_used() -> None:
    feeds = with_silence(40)
    feeds.append({"x": np.full(SHAPE, 3e4, np.float32)})
    samples = Given(feeds)
    draft = drafted(classifier(), samples)
    assert len(draft.statistics.samples) == 40
    clean = Given(feeds[:40])
    assert improve(draft, samples, silent).ranges == improve(drafted(classifier(), clean), clean, silent).ranges


def test_what_the_graph_does_not_have_is_left_and_named() -> None:
    draft = drafted(classifier(), Given(with_silence(12)))
    other = classifier()
    renamed = {f"z/{name}" if name != "x" else name: node for name, node in other.nodes.items()}
    foreign = dataclasses.replace(
        other,
        nodes={
            name: dataclasses.replace(
                node,
                name=name,
                inputs=tuple(ref if ref.node == "x" else ref._replace(node=f"z/{ref.node}") for ref in node.inputs),
            )
            for name, node in renamed.items()
        },
        outputs=tuple(dataclasses.replace(spec, ref=spec.ref._replace(node="z/answer")) for spec in other.outputs),
    )
    _, lost = find_groups(draft.floating, foreign)
    assert any(sentence.startswith("Left the range of 'act'") for sentence in lost)


def test_a_graph_that_tensorflow_does_not_run_is_left_and_it_is_said() -> None:
    samples = Given(with_silence(12))
    draft = drafted(classifier(), samples)
    nodes = {
        name: dataclasses.replace(node, op="NoSuchOp") if name == "first" else node
        for name, node in draft.graph.nodes.items()
    }
    result = improve(dataclasses.replace(draft, graph=dataclasses.replace(draft.graph, nodes=nodes)), samples, silent)
    assert result.ranges is None
    assert any("NoSuchOp" in sentence for sentence in result.skipped)


@given(
    values=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=30),
    low=st.floats(-40, 0, width=32),
    high=st.floats(0, 40, width=32),
)
@settings(max_examples=100, deadline=None)
def test_rounded_values_lie_on_256_steps_with_0_among_them(values: list[float], low: float, high: float) -> None:
    array = np.array(values, np.float32)
    found = rounded(array, (low, high))
    step = (high - low) / 255
    if not np.float32(step) > SMALLEST_SCALE:
        assert not found.any()  # a range that small is no range
        return
    assert np.array_equal(rounded(np.zeros(1, np.float32), (low, high)), [0])
    inside = (array >= low + step) & (array <= high - step)
    assert (np.abs(found - array)[inside] <= step * 0.5001).all()
    assert found.min(initial=0) >= low - step * 0.51
    assert found.max(initial=0) <= high + step * 0.51
    assert len(np.unique(found)) <= 256
    np.testing.assert_allclose(rounded(found, (low, high)), found, atol=1e-4 * max(step, 1e-6))
