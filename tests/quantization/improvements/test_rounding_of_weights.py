from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest

from tests.passes.freezing import tf1
from tests.quantization.improvements import biased_networks
from tests.quantization.improvements.biased_networks import SHAPE, Given, draft, given
from tests.quantization.simulation.networks import answers, weights
from tfmobile.artifacts import Calibration
from tfmobile.conversion import convert
from tfmobile.graph.graphdef import serialize
from tfmobile.graph.match import source
from tfmobile.graph.model import Graph
from tfmobile.progress import silent
from tfmobile.quantization import quantize, recipe
from tfmobile.quantization.improvements import bias_correction, layer_rounding
from tfmobile.quantization.improvements.draft import Draft, Improved
from tfmobile.quantization.improvements.layer_rounding import problem_of
from tfmobile.quantization.improvements.rounding_solver import nearest, solve
from tfmobile.quantization.improvements.weight_grids import WeightGrid
from tfmobile.quantization.improvements.weight_rounding import check_grid, improve
from tfmobile.quantization.improvements.weighted_layers import weighted_layers
from tfmobile.quantization.tensor_keys import translation

Granularity = Literal["tensor", "channel"]


def network(x: Any) -> Any:
    """Every kind of layer, some with strides and padding; one dense layer has no bias."""
    import tensorflow as tf

    bias = np.linspace(-0.2, 0.3, 8, dtype=np.float32)
    x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME", name="first") + bias, name="a")
    x = tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1, seed=1), [1, 2, 2, 1], "SAME", name="second")
    x = tf.nn.relu6(x + 2 * bias, name="b")
    y = tf.nn.relu(tf.nn.conv2d(x, weights(1, 1, 8, 8, seed=2), 1, "VALID", name="third") + 3 * bias, name="c")
    x = tf.reduce_mean(x + y, [1, 2], name="means")
    x = tf.nn.relu(
        tf.matmul(x, weights(12, 8, seed=3), transpose_b=True, name="fourth")
        + np.linspace(-0.1, 0.2, 12, dtype=np.float32),
        name="d",
    )
    return tf.matmul(x, weights(12, 5, seed=4), name="last")


def with_granularity(made: Draft, granularity: Granularity) -> Draft:
    name = "int8-per-tensor-fast" if granularity == "tensor" else "int8-fast"
    return dataclasses.replace(made, recipe=recipe(name), quantized=quantized(made, made.floating, name))


def quantized(made: Draft, floating: bytes, name: str = "") -> bytes:
    keys = translation(made.floating, floating)
    assert keys is not None
    ranges = {keys[key]: value for key, value in made.ranges.items()}
    return quantize(floating, recipe(name) if name else made.recipe, Calibration(ranges, 1, "test"), io="float32")


def error(before: Draft, content: bytes) -> float:
    """Squared error of the answers on samples that were not seen."""
    values = given(80, seed=7).values
    return float(np.square(answers(content, values) - answers(before.floating, values)).mean())


def changed(found: Improved) -> Graph:
    assert found.graph is not None
    return found.graph


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_the_tflite_has_exactly_the_weights_that_were_chosen(granularity: Granularity) -> None:
    before = with_granularity(draft(tf1(network, SHAPE), given(100)), granularity)
    graph = changed(improve(before, given(100), silent))
    content = quantized(before, convert(graph))
    assert check_grid(graph, content) == ()
    assert check_grid(graph, before.quantized) == tuple(layer.name for layer in weighted_layers(graph)[0])


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_answers_come_closer_to_the_float_models(granularity: Granularity) -> None:
    before = with_granularity(draft(tf1(biased_networks.network, SHAPE), given(100)), granularity)
    found = improve(before, given(100), silent)
    after = quantized(before, convert(changed(found)))
    assert error(before, after) < 0.5 * error(before, before.quantized)
    assert "4 layers" in found.changed[0]
    assert not found.moves_activations
    assert len(after) == len(before.quantized)


def test_only_constants_change_and_they_keep_their_names() -> None:
    graph = tf1(network, SHAPE)
    found = changed(improve(draft(graph, given(40)), given(40), silent))
    assert list(found.nodes) == list(graph.nodes)
    differ = [node.op for node in found if alone(node) != alone(graph.nodes[node.name])]
    assert differ == ["Const"] * 9  # weights of five layers, and biases of four


def alone(node: Any) -> bytes:
    return serialize(Graph({node.name: node}, (), ()))


def test_no_weight_moves_by_a_step_or_more() -> None:
    before = draft(tf1(network, SHAPE), given(40))
    found = changed(improve(before, given(40), silent))
    for layer in weighted_layers(before.graph)[0]:
        old, new = (source(graph.nodes, layer.weights).value for graph in (before.graph, found))
        assert old is not None
        assert new is not None
        steps = np.abs(layer.by_output(old)).max(axis=1, keepdims=True) / 127
        assert (np.abs(layer.by_output(new) - layer.by_output(old)) <= 1.001 * steps).all()


def test_the_same_arguments_give_the_same_graph_in_any_order_of_samples() -> None:
    before = draft(tf1(network, SHAPE), given(40))
    first = improve(before, given(40), silent)
    assert serialize(changed(first)) == serialize(changed(improve(before, given(40), silent)))
    assert serialize(changed(first)) == serialize(changed(improve(before, Turned(given(40).values), silent)))


class Turned(Given):
    """The same samples under the same names, in the opposite order."""

    @property
    def names(self) -> tuple[str, ...]:
        return super().names[::-1]

    def feed(self, index: int) -> dict[str, Any]:
        return super().feed(len(self) - 1 - index)


def test_a_few_broken_samples_do_no_harm() -> None:
    before = draft(tf1(biased_networks.network, SHAPE), given(100))
    values = given(200).values.copy()
    values[[3, 60]] *= 1000
    unaware = dataclasses.replace(before.statistics, samples=())  # as if none had been set aside
    found = improve(dataclasses.replace(before, statistics=unaware), Given(values), silent)
    assert error(before, quantized(before, convert(changed(found)))) < 0.5 * error(before, before.quantized)


@dataclasses.dataclass(frozen=True)
class Corrected(Draft):
    """A draft whose biases make up for rounding already, and the graph from before that."""

    exact: Graph | None = None


def test_the_target_is_the_graph_from_before_biases_were_corrected() -> None:
    plain = draft(tf1(biased_networks.network, SHAPE), given(100))
    graph = changed(bias_correction.improve(plain, given(100), silent))
    parts = {**vars(plain), "graph": graph, "quantized": quantized(plain, convert(graph))}
    knowing, unaware = (
        improve(Corrected(**{**parts, "exact": exact}), given(100), silent) for exact in (plain.graph, None)
    )
    closer, further = (error(plain, quantized(plain, convert(changed(found)))) for found in (knowing, unaware))
    assert closer < error(plain, parts["quantized"])
    assert closer < further


def test_a_layer_of_too_many_weights_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_rounding, "MOST_INPUTS", 20)
    before = draft(tf1(network, SHAPE), given(20))
    found = improve(before, given(20), silent)
    assert "Left the weights of 'a' as they are: a channel has 36 weights" in found.skipped[0]
    assert found.facts["layers"] == 4


def test_progress_is_told_layer_by_layer() -> None:
    told: list[tuple[str, int, int | None]] = []
    before = draft(tf1(network, SHAPE), given(20))
    improve(before, given(20), lambda *state: told.append(state))
    assert told == [("round-weights", done, 5) for done in range(6)]


def test_a_product_of_two_computed_tensors_is_left_alone() -> None:
    import tensorflow as tf

    def build(x: Any) -> Any:
        x = tf.reshape(x, [1, 16, 16])
        x = tf.matmul(x, x, name="square")
        return tf.matmul(tf.reshape(x, [16, 16]), weights(16, 5), name="last")

    before = draft(tf1(build, SHAPE), given(40))
    found = improve(before, given(40), silent)
    assert any("square" in sentence for sentence in found.skipped)
    assert check_grid(changed(found), quantized(before, convert(changed(found)))) == ()


@pytest.mark.parametrize("kind", ["dead", "single"])
def test_channels_with_hardly_any_weights(kind: str) -> None:
    import tensorflow as tf

    kernel = weights(1, 1, 4, 8)
    kernel[:, :, :, 2] = 0
    if kind == "single":
        kernel[:, :, 1, 2] = 1e-12
    bias = np.linspace(-0.2, 0.3, 8, dtype=np.float32)
    graph = tf1(lambda x: tf.nn.conv2d(x, kernel, 1, "VALID", name="only") + bias, SHAPE)
    before = draft(graph, given(40))
    found = changed(improve(before, given(40), silent))
    content = quantized(before, convert(found))
    assert check_grid(found, content) == ()
    assert error(before, content) < error(before, before.quantized) * 1.01


def test_weights_that_are_on_no_grid_are_not_compared() -> None:
    before = draft(tf1(network, SHAPE), given(20))
    assert check_grid(before.graph, before.quantized) == ()


def test_with_four_bits_it_decides_about_the_answers() -> None:
    plain, adaptive = (four_bit_agreement(adaptive) for adaptive in (False, True))
    assert plain < 0.85
    assert adaptive > plain + 0.08


def four_bit_agreement(adaptive: bool) -> float:
    """How often a network of three dense layers answers as it did, with weights of 15 levels; activations are float."""
    generator = np.random.default_rng(0)
    exact = seen = (generator.normal(size=(3000, 8)) @ generator.normal(size=(8, 32))).astype(np.float32)
    for _ in range(3):
        kernel = generator.normal(size=(32, 32)).astype(np.float32)
        scales = np.abs(kernel).max(axis=0) / 7
        grid = WeightGrid((kernel / scales).T.astype(np.float64), scales, levels=7)
        target = exact @ kernel
        chosen = problem_of(grid, seen[None, :1000], (target / scales)[None, :1000], centred=True)
        whole = (solve(chosen) if adaptive else nearest(chosen))[0]
        sums = seen @ (whole * scales)
        exact, seen = (np.maximum(one, 0) for one in (target, sums - (sums - target)[:1000].mean(axis=0)))
    return float((exact[1000:].argmax(axis=1) == seen[1000:].argmax(axis=1)).mean())
