"""What a channel always is at least moves into the next layer's bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tests.quantization.improvements.channel_nets import (
    SHAPE,
    Activation,
    activations,
    const,
    draft_of,
    int8_error,
    parted,
    pictures,
    stored,
    weights,
)
from tfmobile.graph.model import Graph
from tfmobile.progress import silent
from tfmobile.quantization.improvements.bias_absorption import improve

SAMPLES = pictures()


def biased(
    activation: Activation = "relu", *, bias: float = 30.0, padding: str = "VALID", kernel: int = 1, second: bool = True
) -> Graph:
    """Channel 1 of the first convolution has a high bias."""
    import tensorflow as tf

    def build(x: Any) -> Any:
        biases = np.full(8, 0.3)
        biases[1] = bias
        x = tf.nn.conv2d(x, const(weights(3, 3, 3, 8), "conv/w"), 1, "SAME", name="conv")
        x = activations()[activation](tf.nn.bias_add(x, const(biases, "conv/b")), name="act")
        x = tf.nn.conv2d(x, const(weights(kernel, kernel, 8, 4, seed=1), "next/w"), 1, padding, name="next")
        return tf.nn.bias_add(x, const(np.zeros(4), "next/b"), name="answer") if second else x

    return tf1(build, SHAPE)


@pytest.mark.parametrize(("kernel", "padding"), [(1, "SAME"), (3, "VALID")])
def test_without_padding_it_is_exact(kernel: int, padding: str) -> None:
    graph = biased(kernel=kernel, padding=padding)
    result = improve(draft_of(graph, "channel"), SAMPLES, silent)
    assert result.graph is not None
    assert result.moves_activations
    assert stored(result.graph, "conv/b")[1] < 5
    assert parted(graph, result.graph, pictures(64, seed=9)) < 1e-5
    before, after = (int8_error(one, graph, SAMPLES, "int8-fast") for one in (graph, result.graph))
    assert after < before / 10


def test_at_padding_the_answer_would_move_so_it_is_left() -> None:
    result = improve(draft_of(biased(kernel=3, padding="SAME")), SAMPLES, silent)
    assert result.graph is None
    assert any("padding makes the answer move" in one for one in result.skipped)


def test_relu6_is_absorbed_where_6_is_far() -> None:
    graph = biased("relu6", bias=3.0)
    result = improve(draft_of(graph), SAMPLES, silent)
    assert result.graph is not None
    assert parted(graph, result.graph, SAMPLES) < 1e-5
    assert improve(draft_of(biased("relu6", bias=5.5)), SAMPLES, silent).graph is None


def test_reasons_are_given() -> None:
    assert any("has no bias" in one for one in improve(draft_of(biased(second=False)), SAMPLES, silent).skipped)
    linear = improve(draft_of(biased("none")), SAMPLES, silent)
    assert any("there is no Relu" in one for one in linear.skipped)
