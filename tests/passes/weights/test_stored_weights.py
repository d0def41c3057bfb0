"""quantize_nodes after quantize_weights, as lists for the original tool have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.passes.freezing import tf1
from tfmobile.graph.run import run
from tfmobile.passes import make_pass, rewrite
from tfmobile.passes.weights.stored_in_8_bits import restored


def _network(x: Any) -> Any:
    import tensorflow as tf

    weights = np.random.default_rng(2).normal(size=(3, 3, 8, 16)).astype("float32")
    return tf.nn.relu6(tf.nn.conv2d(x, weights, 1, "SAME"), name="y")


def test_weights_stored_in_8_bits_are_read_back_exactly() -> None:
    stored = make_pass("quantize_weights").apply(tf1(_network, (1, 6, 6, 8))).graph
    back, count = restored(stored)
    assert count == 1
    assert not any(node.op == "Dequantize" for node in back)
    feed = {"x": np.random.default_rng(0).normal(size=(1, 6, 6, 8)).astype("float32")}
    np.testing.assert_allclose(run(back, feed)["y0"], run(stored, feed)["y0"], atol=2e-5)


def test_their_layers_get_fake_quant_too() -> None:
    passes = "quantize_weights quantize_nodes(input_min=-1, input_max=1)"
    _, step = rewrite(tf1(_network, (1, 6, 6, 8)), passes).steps
    assert "Read 1 constant stored in 8 bits back as floats." in step.changed
    assert any("weights of 1 layer" in line for line in step.changed)
    assert not step.skipped
