"""Inside TF1 loops and conditionals, new constants live in the same frame and branch as those they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tfmobile.passes import rewrite

RANDOM = np.random.default_rng(0)


def _values(*shape: int) -> Any:
    return RANDOM.uniform(0.5, 1.5, shape).astype("float32")


def _body(tf: Any, kind: str) -> Callable[[Any], Any]:
    def norm(x: Any) -> Any:
        values = [tf.constant(_values(2)) for _ in range(4)]
        return tf.compat.v1.nn.fused_batch_norm(x, *values, is_training=False)[0]

    def weights(*shape: int) -> Any:
        return tf.constant(_values(*shape) / 10)

    def atrous(x: Any) -> Any:
        apart = tf.raw_ops.SpaceToBatchND(input=x, block_shape=[2, 2], paddings=[[2, 2], [2, 2]])
        y = tf.nn.conv2d(apart, weights(3, 3, 2, 2), 1, "VALID")
        return tf.raw_ops.BatchToSpaceND(input=y, block_shape=[2, 2], crops=[[0, 0], [0, 0]])

    return {
        "after": lambda x: tf.nn.relu(norm(tf.nn.conv2d(x, weights(3, 3, 2, 2), 1, "SAME"))),
        "joined": lambda x: norm(
            tf.nn.conv2d(x, weights(3, 3, 2, 2), 1, "SAME") + tf.nn.conv2d(x, weights(1, 1, 2, 2), 1, "SAME")
        ),
        "before": lambda x: tf.nn.conv2d(norm(tf.nn.relu(x)), weights(1, 1, 2, 2), 1, "SAME"),
        "scale": lambda x: tf.nn.conv2d(tf.nn.relu(x) * 0.5 - 1.0, weights(3, 3, 2, 2), 1, "SAME"),
        "pad": lambda x: tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), weights(3, 3, 2, 2), 1, "VALID"),
        "mirror": lambda x: tf.nn.conv2d(
            tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"), weights(3, 3, 2, 2), 1, "VALID"
        ),
        "atrous": atrous,
    }[kind]


CALLS = {
    "after": "fold-batch-norms",
    "joined": "fold-old-batch-norms",
    "before": "fold-batch-norms",
    "scale": "fold-input-scale",
    "pad": "fold-pads",
    "mirror": "fuse-convolutions",
    "atrous": "flatten-atrous-conv(zeros=true)",
}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("where", ["loop", "conditional"])
def test_the_answer_stays(kind: str, where: str) -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        if where == "loop":
            result = tf.compat.v1.while_loop(
                lambda i, _: i < 3,
                lambda i, y: (i + 1, tf.ensure_shape(_body(tf, kind)(tf.ensure_shape(y, (1, 6, 6, 2))), (1, 6, 6, 2))),
                (0, x),
            )[1]
        else:
            result = tf.compat.v1.cond(tf.reduce_sum(x) > 0, lambda: _body(tf, kind)(x), lambda: x * 2.0)
        return tf.identity(result, name="y")

    tf.compat.v1.disable_control_flow_v2()
    try:
        graph = tf1(build, (1, 6, 6, 2))
    finally:
        tf.compat.v1.enable_control_flow_v2()
    before = Counter(node.op for node in graph)
    assert before["Merge"]
    result = rewrite(graph, CALLS[kind], tolerance=1e-5)
    (step,) = result.steps
    assert not step.refused, (step.reason, step.first_difference)
    assert step.max_rel is not None
    assert step.changed
    assert Counter(node.op for node in result.graph)["Merge"] == before["Merge"]
