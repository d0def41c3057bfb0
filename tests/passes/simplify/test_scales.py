"""Scales and offsets in a row, on real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.graph.model import Graph
from tfmobile.passes import rewrite

_X = np.random.default_rng(8).normal(size=(2, 4, 4, 3)).astype("float32")


def _ops(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph if node.op not in ("Const", "Placeholder"))


def _folded(build: Any, tolerance: float = 1e-6) -> Graph:
    result = rewrite(tf1(build, (2, 4, 4, 3)), "fold_scales", [{"x": _X}, {"x": _X * 200}], tolerance=tolerance)
    (step,) = result.steps
    assert not step.refused, step.reason
    assert not rewrite(result.graph, "fold_scales", verify=False).steps[0].changed
    return result.graph


def test_preprocessing_written_step_by_step() -> None:
    import tensorflow as tf

    mean = np.array([123.68, 116.78, 103.94], "float32")
    graph = _folded(lambda x: tf.divide((x * 0.5 + 0.5) * 255.0 - mean, [58.4, 57.1, 57.4], name="y"))
    assert _ops(graph) == ["AddV2", "Mul"]


def test_there_and_back_again_is_nothing() -> None:
    import tensorflow as tf

    assert _ops(_folded(lambda x: tf.identity((x / 127.5 - 1.0 + 1.0) * 127.5, name="y"))) == ["Identity"]


@pytest.mark.parametrize("seed", range(20))
def test_chains_by_chance(seed: int) -> None:
    import tensorflow as tf

    draw = np.random.default_rng(seed)

    def build(x: Any) -> Any:
        for _ in range(int(draw.integers(2, 9))):
            shape = [(), (3,), (1, 1, 1, 3), (1,)][int(draw.integers(4))]
            value = np.asarray(draw.uniform(0.3, 2.0, shape) * draw.choice([-1, 1]), "float32")
            x = [
                lambda x, c: x * c,
                lambda x, c: c * x,
                lambda x, c: x / c,
                lambda x, c: x + c,
                lambda x, c: x - c,
                lambda x, c: c - x,
                lambda x, c: -x,
                lambda x, c: tf.nn.bias_add(x, np.broadcast_to(c.reshape(-1), 3)),
            ][int(draw.integers(8))](x, value)
        return tf.identity(x, name="y")

    graph = _folded(build)
    assert len(_ops(graph)) <= 3


def test_rounding_by_a_large_number_is_kept() -> None:
    import tensorflow as tf

    graph = _folded(lambda x: tf.identity(x + 12582912.0 - 12582912.0, name="y"))
    assert _ops(graph) == ["AddV2", "Identity", "Sub"]


def test_half_precision_and_whole_numbers_are_left() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        half = tf.cast(x, tf.float16) * 3.0 * 0.1
        whole = tf.cast(x, tf.int32) * 3 * 5
        return tf.add(tf.cast(half, tf.float32), tf.cast(whole, tf.float32), name="y")

    (step,) = rewrite(tf1(build, (2, 4, 4, 3)), "fold_scales", [{"x": _X}]).steps
    assert not step.changed
    assert [("float16" in text, "int32" in text) for text in step.skipped] == [(True, False), (False, True)]


def test_float64_is_folded_in_its_own_precision() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        return tf.cast(tf.cast(x, tf.float64) * 0.1 * 3.0 + 0.7, tf.float32, name="y")

    graph = _folded(build)
    assert _ops(graph) == ["AddV2", "Cast", "Cast", "Mul"]
