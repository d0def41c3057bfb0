"""optimize on a model that brings its own ranges, and with the preprocessing made part of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfmobile
from tests.passes.freezing import tf1
from tfmobile.errors import UsageError
from tfmobile.graph.graphdef import serialize
from tfmobile.runtime import describe
from tfmobile.runtime import run as run_tflite


def _network(x: Any) -> Any:
    import tensorflow as tf

    weights = np.random.default_rng(5).normal(size=(3, 3, 3, 8)).astype("float32")
    hidden = tf.nn.relu6(tf.nn.bias_add(tf.nn.conv2d(x, weights, 2, "SAME"), np.linspace(0, 1, 8, dtype="float32")))
    return tf.reduce_mean(hidden, [1, 2], name="y")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "frozen.pb"
    path.write_bytes(serialize(tf1(_network, (1, 8, 8, 3))))
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pictures.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype("uint8")
    np.savez(path, x=pixels, y=np.arange(30) % 8)
    return path


QUICK: dict[str, Any] = {"benchmark": False, "mean": 127.5, "std": 127.5}


def test_fake_quant_nodes_that_a_pass_placed_become_an_integer_model(
    frozen: Path, pictures: Path, tmp_path: Path
) -> None:
    ranged = tmp_path / "ranged.pb"
    passes = "quantize_nodes(input_min=-1, input_max=1, fallback_min=-6, fallback_max=6)"
    tfmobile.transform(frozen, passes=passes, out=ranged)
    report = tfmobile.optimize(ranged, data=str(pictures), out=str(tmp_path / "build"), **QUICK)
    model = describe(report.optimized.content)
    assert {op.kind for op in model.ops} == {"integer"}
    assert model.inputs[0].dtype == "int8"
    assert model.inputs[0].scale == pytest.approx(2 / 255, rel=0.02)
    assert report.calibration is None
    assert any("its own ranges are used" in note for note in report.notes)
    assert report.differences[1].max_rel < 0.1


def test_other_recipes_leave_fake_quant_aside_and_say_so(frozen: Path, pictures: Path, tmp_path: Path) -> None:
    ranged = tmp_path / "ranged.pb"
    tfmobile.transform(frozen, passes="quantize_nodes(fallback_min=-6, fallback_max=6)", out=ranged)
    report = tfmobile.optimize(ranged, recipe="float32", data=str(pictures), out=str(tmp_path / "b"), **QUICK)
    assert any("does not use" in note for note in report.notes)
    assert report.differences[1].max_rel < 1e-5


@pytest.mark.parametrize("color", [None, "bgr"])
def test_a_baked_model_takes_pixels_and_answers_the_same(
    frozen: Path, pictures: Path, tmp_path: Path, color: str | None
) -> None:
    options = {**QUICK, "color": color, "recipe": "float32", "data": str(pictures)}
    plain = tfmobile.optimize(frozen, out=str(tmp_path / "plain"), **options)
    baked = tfmobile.optimize(frozen, bake_preprocessing=True, out=str(tmp_path / "baked"), **options)
    pixels = np.load(pictures)["x"][:4].astype("float32")
    for picture in pixels:
        scaled = (picture - 127.5) / 127.5
        wanted = run_tflite(plain.optimized.content, [{"x": scaled[None, ..., ::-1] if color else scaled[None]}])
        found = run_tflite(baked.optimized.content, [{"x": picture[None]}])
        np.testing.assert_allclose(found[0]["y"], wanted[0]["y"], rtol=1e-4, atol=1e-5)
    card = json.loads((tmp_path / "baked" / "card.json").read_text())
    assert card["preprocessing"]["mean"] == card["preprocessing"]["std"] == []
    assert card["preprocessing"]["color"] == ("rgb" if color else None)
    assert "--bake-preprocessing" in baked.command
    assert "--mean 127.5" in baked.command
    assert not {"MUL", "SUB", "ADD", "DIV"} & {op.op for op in baked.optimized.ops}


def test_there_must_be_something_to_bake(frozen: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no preprocessing to bake"):
        tfmobile.optimize(frozen, bake_preprocessing=True, data=str(pictures), out=str(tmp_path / "b"))
