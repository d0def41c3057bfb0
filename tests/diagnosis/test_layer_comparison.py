"""Layers of a quantized model: read off the file, compared with the float one, switched one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np
import pytest

from tests.quantization.small_models import network, samples
from tfmobile.artifacts import Fidelity
from tfmobile.diagnosis.effects import Effects, damage, measure_effects, tied
from tfmobile.diagnosis.impact import harm, impacts, shares
from tfmobile.diagnosis.layers import compare_layers, layer_error
from tfmobile.diagnosis.structure import INPUT, Grid, QuantizedLayer, movers, quantized_layers
from tfmobile.graph.model import Array
from tfmobile.quantization import calibrate, quantize, recipe

FEEDS = [feed for _, feed in samples(4)]


@pytest.fixture(scope="module")
def int8() -> bytes:
    plain = dataclasses.replace(recipe("int8"), improve=(), ranges="min-max")
    return quantize(network(), plain, calibrate(network(), samples(10), source="test"))


def test_layers_are_inputs_and_operators_with_what_they_read(int8: bytes) -> None:
    layers = quantized_layers(network(), int8)
    assert [layer.op for layer in layers] == [
        INPUT, "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX",
    ]  # fmt: skip
    assert layers[1].inputs == (layers[0].name,)
    assert [layer.answer for layer in layers] == [False] * 6 + [True]
    weights = layers[2].weights
    assert weights is not None
    assert weights.maxima.shape == weights.scales.shape == (16,)
    assert layers[1].multiplies == 12 * 12 * 16 * 27
    assert layers[-1].grid.range == (0.0, 255 / 256)


def test_outputs_are_compared_under_the_names_users_see(int8: bytes) -> None:
    layers = quantized_layers(network(), int8)
    errors = compare_layers(network(), int8, layers, FEEDS)
    assert list(errors) == [layer.name for layer in layers]
    assert errors[layers[0].name].rmse_per_scale == pytest.approx(0.289, abs=0.02)
    assert all(5 < error.sqnr_db < 80 and error.cosine > 0.8 for error in errors.values())


def test_numbers_of_a_layer_follow_from_its_sums() -> None:
    sums = {
        "count": 4,
        "ff": 100.0,
        "qq": 100.0,
        "fq": 99.5,
        "ee": 1.0,
        "clipped": 1,
        "clipped_ee": 0.5,
        "shift_ee": 0.25,
    }
    found = layer_error(sums, 0.5)
    assert found.sqnr_db == pytest.approx(20.0)
    assert found.cosine == pytest.approx(0.995)
    assert found.rmse_per_scale == pytest.approx(1.0)
    assert (found.clipped, found.clipped_share, found.shift_share) == (0.25, 0.5, 0.25)


def test_an_operator_that_only_moves_values_belongs_to_what_made_them() -> None:
    grid = Grid(0.1, 0, "int8")
    made = QuantizedLayer("a", "CONV_2D", "a", "a", grid, ())
    moved = [QuantizedLayer("b", "RESHAPE", "b", "b", grid, ("a",)), QuantizedLayer("c", "PAD", "c", "c", grid, ("b",))]
    other = QuantizedLayer("d", "PAD", "d", "d", Grid(0.2, 0, "int8"), ("c",))
    assert movers([made, *moved, other]) == {"b": "a", "c": "a"}


@dataclasses.dataclass(frozen=True)
class Layer:
    name: str
    switchable: bool = True


class Simulation:
    """Adds a known error to the answer for every layer that is not in float."""

    batch = True
    layers = (Layer("small"), Layer("large"), Layer("moved"), Layer("fixed", switchable=False), Layer("softmax"))
    errors: Mapping[str, float] = {"small": 0.01, "large": 0.2, "softmax": 0.05}

    def outputs(self, feeds: Mapping[str, Array], *, floating: Collection[str] = ()) -> dict[str, Array]:
        error = sum(value for name, value in self.errors.items() if name not in floating)
        first = np.clip(feeds["x"][:, :1] - error, 0, 1)
        return {"y": np.concatenate([first, 1 - first], axis=1)}

    def float_outputs(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return self.outputs(feeds, floating=tuple(self.errors))


def switched() -> Effects:
    feeds = [{"x": np.full((1, 1), value, np.float32)} for value in np.linspace(0.3, 0.9, 20)]
    return measure_effects(Simulation(), feeds, moves={"moved": "large"}, outlets=["softmax"])


def test_each_layer_is_quantized_alone_and_left_out_alone() -> None:
    found = switched()
    assert set(found.only_this) == {"small", "large", "softmax"}
    assert damage(found.only_this["small"]) < damage(found.only_this["large"])
    assert damage(found.all_but_this["large"]) == pytest.approx(damage(found.only_this["small"]))
    assert found.outlets == ("softmax",)
    assert found.all_but_this["softmax"] == found.all_quantized


def test_damage_is_shared_out() -> None:
    part = shares(switched(), [])
    assert part["large"] > 0.6
    assert part["small"] < 0.1
    assert sum(part.values()) == pytest.approx(1, abs=0.1)
    assert impacts(part, 0.5)["large"] == 0.5


def test_harm_grows_with_what_is_lost() -> None:
    def found(agreement: float | None, kl: float | None, sqnr: float) -> float:
        return harm(Fidelity(100, agreement, kl, sqnr))

    assert found(1.0, 0.0, 60) == 0
    assert found(0.99, 0.001, 40) < found(0.9, 0.05, 20) == 0.5 < found(0.1, 5.0, 0)
    assert found(None, None, 20) == 0.5


def test_ties_are_answers_whose_best_two_are_equal() -> None:
    rows = [{"y": np.array([[0.5, 0.5, 0.0]])}, {"y": np.array([[0.6, 0.4, 0.0]])}]
    assert tied(rows) == 0.5
    assert tied([{"y": np.array([[1.0]])}]) == 0.0
