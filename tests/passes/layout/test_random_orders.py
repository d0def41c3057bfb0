"""Random graphs of Transposes, layers of both formats and what can lie between, through both passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.layout.channels_first import bias, conv, first, norm, transposes, weights
from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Array, Graph, TensorRef, TensorSpec
from tfmobile.passes import make_pass, rewrite

Make = Callable[[Any, np.random.Generator, list[Any]], Any]
SIZES = (1, 2, 3, 4, 6)


def _axis(x: Any, dice: np.random.Generator) -> int:
    return int(dice.integers(x.shape.rank))


def _partner(x: Any, pool: list[Any], dice: np.random.Generator) -> Any:
    """A tensor of the same shape, or one that is spread over it."""
    fitting = [
        other
        for other in pool
        if other.shape.rank == x.shape.rank and all(a in (1, b) for a, b in zip(other.shape, x.shape, strict=True))
    ]
    return fitting[int(dice.integers(len(fitting)))]


def _constant(x: Any, dice: np.random.Generator) -> Any:
    """Of any rank but 1: TensorFlow's layout optimizer takes a list for one of channels, and then does not run it."""
    left_out = int(dice.choice([count for count in range(x.shape.rank + 1) if count != x.shape.rank - 1]))
    return weights(*(size if dice.integers(2) else 1 for size in x.shape[left_out:]))


def _joined_axes(x: Any, dice: np.random.Generator) -> Any:
    at = int(dice.integers(x.shape.rank - 1))
    return tf.reshape(x, [*x.shape[:at], x.shape[at] * x.shape[at + 1], *x.shape[at + 2 :]])


def _slice(x: Any, dice: np.random.Generator) -> Any:
    choices = [slice(None), slice(None, None, -1), slice(0, 1), 0]
    return x[tuple(choices[int(dice.integers(4 if place else 3))] for place in range(x.shape.rank))]


def _only_rank_4(make: Callable[[Any], Any]) -> Make:
    return lambda x, dice, pool: make(x) if x.shape.rank == 4 else None


MAKERS: Mapping[str, Make] = {
    "transpose": lambda x, dice, pool: tf.transpose(x, dice.permutation(x.shape.rank)),
    "to_last": _only_rank_4(lambda x: tf.transpose(x, [0, 2, 3, 1])),
    "to_first": _only_rank_4(lambda x: tf.transpose(x, [0, 3, 1, 2])),
    "conv": _only_rank_4(lambda x: conv(x, 4, 2)),
    "conv_last": _only_rank_4(lambda x: tf.nn.conv2d(x, weights(1, 2, x.shape[3], 3), 1, "SAME")),
    "norm": _only_rank_4(norm),
    "bias": _only_rank_4(bias),
    "bias_last": _only_rank_4(lambda x: tf.nn.bias_add(x, weights(x.shape[3]))),
    "pool": _only_rank_4(lambda x: tf.nn.max_pool2d(x, 2, 1, "SAME", data_format="NCHW")),
    "relu": lambda x, dice, pool: tf.nn.relu(x),
    "constant": lambda x, dice, pool: (x + _constant(x, dice)) * _constant(x, dice),
    "sum": lambda x, dice, pool: x + _partner(x, pool, dice),
    "concat": lambda x, dice, pool: tf.concat([x, tf.tanh(x)], _axis(x, dice)),
    "split": lambda x, dice, pool: tf.split(tf.concat([x, x * 2.0], -1), 2, axis=-1)[int(dice.integers(2))],
    "pad": lambda x, dice, pool: tf.pad(x, dice.integers(0, 2, (x.shape.rank, 2)), constant_values=0.5),
    "mean": lambda x, dice, pool: tf.reduce_mean(x, sorted({_axis(x, dice), 0}), keepdims=True),
    "max": lambda x, dice, pool: tf.reduce_max(x, _axis(x, dice)) if x.shape.rank > 2 else None,
    "best": lambda x, dice, pool: tf.cast(tf.argmax(x, _axis(x, dice)), tf.float32) if x.shape.rank > 2 else None,
    "squeeze": lambda x, dice, pool: tf.squeeze(x, [list(x.shape).index(1)]) if 1 in x.shape else None,
    "expand": lambda x, dice, pool: tf.expand_dims(x, _axis(x, dice)) if x.shape.rank < 5 else None,
    "join": lambda x, dice, pool: _joined_axes(x, dice) if x.shape.rank > 2 else None,
    "flatten": lambda x, dice, pool: tf.reshape(x, [x.shape[0], -1]) if dice.integers(4) == 0 else None,
    "shape": lambda x, dice, pool: x * tf.cast(tf.shape(x)[_axis(x, dice)], tf.float32),
    "slice": lambda x, dice, pool: _slice(x, dice),
    "softmax": lambda x, dice, pool: tf.nn.softmax(x),
    "tile": lambda x, dice, pool: tf.tile(x, dice.integers(1, 3, x.shape.rank)),
    "cumsum": lambda x, dice, pool: tf.cumsum(x, _axis(x, dice)),
    "reverse": lambda x, dice, pool: tf.reverse(x, [_axis(x, dice)]),
}


def _random_graph(seed: int) -> tuple[Graph, Mapping[str, Array]]:
    dice = np.random.default_rng(seed)
    shape = (1, *(int(dice.choice(SIZES)) for _ in range(3)))
    with tf.Graph().as_default() as graph:
        pool = [tf.compat.v1.placeholder(tf.float32, shape, name="x")]
        for _ in range(int(dice.integers(5, 25))):
            x = pool[max(0, len(pool) - 1 - int(dice.integers(4)))]
            if x.shape.rank > 1:
                made = MAKERS[str(dice.choice(list(MAKERS)))](x, dice, pool)
                pool.extend([made] if made is not None and np.prod(made.shape) < 4000 else [])
        outputs = [pool[-1], pool[int(dice.integers(len(pool)))]]
    specs = [
        TensorSpec(f"y{index}", TensorRef.parse(y.name), "float32", tuple(y.shape)) for index, y in enumerate(outputs)
    ]
    feed = {"x": dice.normal(size=shape).astype(np.float32)}
    return from_graph_def(graph.as_graph_def(), [TensorSpec("x", TensorRef("x"), "float32", shape)], specs), feed


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 120))])
def test_random_graphs_keep_their_answer(seed: int) -> None:
    graph, feed = _random_graph(seed)
    graph = rewrite(graph, "strip-unused", verify=False).graph
    for calls in ("cancel-transposes", "nchw-to-nhwc", "nchw-to-nhwc(io=nhwc) cancel-transposes"):
        rewritten = rewrite(graph, calls, [feed], tolerance=1e-5)
        for step in rewritten.steps:
            assert not step.refused, (step.name, step.reason, step.first_difference)
            assert step.max_rel is not None, step.reason
        if calls == "cancel-transposes":
            assert transposes(rewritten.graph) <= transposes(graph)
        else:
            assert not first(rewritten.graph)
        last = make_pass(calls.split()[-1])
        assert not last.apply(rewritten.graph).changed, "a second time changes nothing"
