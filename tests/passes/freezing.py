"""Small real models, frozen to a Graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Graph, TensorRef, TensorSpec


def freeze(function: Callable[..., Any], shape: Sequence[int | None], *, lower: bool = True) -> Graph:
    """A function or Keras model of one float32 input ``x``; its outputs are ``y0``, ``y1``, …"""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = tf.function(lambda x: function(x)).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="x"))
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=lower)
    outputs = [
        TensorSpec(f"y{index}", TensorRef.parse(tensor.name), tensor.dtype.name, tuple(tensor.shape.as_list()))
        for index, tensor in enumerate(frozen.outputs)
    ]
    return from_graph_def(
        frozen.graph.as_graph_def(), [TensorSpec("x", TensorRef("x"), "float32", tuple(shape))], outputs
    )


def tf1(build: Callable[[Any], Any], shape: Sequence[int | None]) -> Graph:
    """A TF1 graph of one float32 placeholder ``x``, built by ``build(x)``, which gives the output."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.set_random_seed(1)
        x = tf.compat.v1.placeholder(tf.float32, shape, name="x")
        output = build(x)
    spec = TensorSpec("y0", TensorRef.parse(output.name), output.dtype.name, tuple(output.shape.as_list()))
    return from_graph_def(graph.as_graph_def(), [TensorSpec("x", TensorRef("x"), "float32", tuple(shape))], [spec])


def shake(model: Any) -> Any:
    """Give a fresh Keras model weights and statistics that are not all zeros and ones."""
    import numpy as np

    generator = np.random.default_rng(3)
    model.set_weights(
        [
            generator.uniform(0.3, 1.7, weight.shape) * generator.choice([1.0, -0.5], weight.shape)
            if "variance" not in name
            else generator.uniform(0.2, 2.0, weight.shape)
            for name, weight in _named(model)
        ]
    )
    return model


def _named(model: Any) -> list[tuple[str, Any]]:
    names = [getattr(weight, "path", weight.name) for weight in model.weights]
    return list(zip(names, model.get_weights(), strict=True))
