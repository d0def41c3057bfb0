"""The main job on a small model: every recipe, every file of the result, reuse, and a second look at the .tflite."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.running import Ran, Sample, tfmobile

RECIPES = ["float32", "float16", "dynamic-int8", "int8", "int8-per-tensor", "int16x8", "weight-int4"]


def optimize(small: Sample, out: Path, *words: str) -> Ran:
    data = ["--data", small.test, "--calibrate-with", small.calibration, "--mean", "0", "--std", "255"]
    recipe = () if "--recipe" in words else ("--recipe", "int8-fast")
    return tfmobile("optimize", small.model, *data, "--latency-budget", "2", "-o", out, *recipe, *words)


@pytest.fixture(scope="module")
def done(small: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("done") / "build"
    ran = optimize(small, out, "--recipe", "int8")
    assert ran.code == 0, ran.err
    assert "report.html" in ran.out
    return out


def test_a_run_leaves_the_model_its_card_and_its_report(done: Path) -> None:
    names = {path.name for path in done.iterdir()}
    assert names == {".work", "model.tflite", "card.json", "report.html", "report.json", "frozen.pb", "manifest.json"}
    card = json.loads((done / "card.json").read_text())
    assert card["model"]["sha256"] == hashlib.sha256((done / "model.tflite").read_bytes()).hexdigest()
    assert card["preprocessing"]["std"] == [255.0]
    assert card["inputs"][0]["shape"] == [1, 8, 8, 1]
    report = json.loads((done / "report.json").read_text())
    assert report["schema_version"] == 1
    assert report["evaluation"]["samples"] == 30
    assert report["latency"]["rows"]
    manifest = json.loads((done / "manifest.json").read_text())
    assert [step["name"] for step in manifest["steps"]][:2] == ["load", "rewrite"]
    assert manifest["steps"][1]["facts"]["max_rel"] < 1e-4
    assert [difference["max_rel"] >= 0 for difference in manifest["differences"]] == [True, True]


def test_batch_norms_are_folded_and_every_pass_is_verified(done: Path) -> None:
    report = json.loads((done / "report.json").read_text())
    steps = {step["name"]: step for step in report["rewrite"]["steps"]}
    assert len(steps["fold-batch-norms"]["changed"]) == 2
    for step in steps.values():
        assert not step["refused"]
        assert step["max_rel"] is None or step["max_rel"] < 1e-4
    assert report["differences"][0]["max_rel"] < 1e-4


def test_the_report_is_one_offline_page(done: Path) -> None:
    page = (done / "report.html").read_text()
    assert "<svg" in page
    for reference in ('src="http', 'href="http', "url(http", "<link", "@import"):
        assert reference not in page


def test_a_second_run_reuses_all_steps_and_gives_the_same_bytes(small: Sample, done: Path) -> None:
    before = (done / "model.tflite").read_bytes()
    ran = optimize(small, done, "--recipe", "int8", "--json")
    assert ran.code == 0, ran.err
    assert all(step["reused"] for step in ran.json["steps"])
    assert (done / "model.tflite").read_bytes() == before


def test_the_command_in_the_report_reproduces_the_bytes(done: Path, tmp_path: Path) -> None:
    import shlex

    words = shlex.split(json.loads((done / "report.json").read_text())["command"])
    assert words[0] == "tfmobile"
    words[words.index("-o") + 1] = str(tmp_path / "again")
    ran = tfmobile(*words[1:], "--no-benchmark")
    assert ran.code == 0, ran.err
    assert (tmp_path / "again/model.tflite").read_bytes() == (done / "model.tflite").read_bytes()


def test_the_order_of_calibration_samples_does_not_matter(small: Sample, done: Path, tmp_path: Path) -> None:
    x = np.load(small.calibration)["x"]
    np.savez(tmp_path / "turned.npz", x=x[::-1])
    data = ["--data", small.test, "--calibrate-with", tmp_path / "turned.npz", "--mean", "0", "--std", "255"]
    ran = tfmobile("optimize", small.model, *data, "--no-benchmark", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out/model.tflite").read_bytes() == (done / "model.tflite").read_bytes()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gives_a_model_that_answers_like_the_original(small: Sample, tmp_path: Path, recipe: str) -> None:
    ran = optimize(small, tmp_path, "--recipe", recipe, "--json", "--no-benchmark")
    assert ran.code == 0, ran.err
    agreement = ran.json["evaluation"]["comparisons"][0]["agreement"]["value"]
    assert agreement >= (0.6 if recipe == "weight-int4" else 0.9)


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_int8_has_the_inputs_and_outputs_that_were_asked_for(small: Sample, tmp_path: Path, io: str) -> None:
    ran = optimize(small, tmp_path, "--io", io, "--json", "--no-benchmark")
    assert ran.code == 0, ran.err
    card = json.loads((tmp_path / "card.json").read_text())
    assert {tensor["dtype"] for tensor in card["inputs"] + card["outputs"]} == {io}


def test_random_calibration_has_to_be_typed_and_is_said_loudly(small: Sample, tmp_path: Path) -> None:
    ran = tfmobile("optimize", small.model, "--calibrate-with", "random", "--no-benchmark", "-o", tmp_path)
    assert ran.code == 0, ran.err
    assert "random" in ran.out
    assert json.loads((tmp_path / "report.json").read_text())["calibration"]["random"] is True


def test_a_float16_tflite_is_quantized_again(small: Sample, tmp_path: Path) -> None:
    assert optimize(small, tmp_path / "half", "--recipe", "float16", "--no-benchmark").code == 0
    data = ["--data", small.test, "--mean", "0", "--std", "255", "--no-benchmark", "--json"]
    ran = tfmobile("optimize", tmp_path / "half/model.tflite", *data, "-o", tmp_path / "int8")
    assert ran.code == 0, ran.err
    assert ran.json["evaluation"]["comparisons"][0]["agreement"]["value"] >= 0.9


def test_evaluate_takes_the_preprocessing_from_the_card(small: Sample, done: Path) -> None:
    ran = tfmobile("evaluate", done / "model.tflite", "--data", small.test, "--json")
    assert ran.code == 0, ran.err
    report = json.loads((done / "report.json").read_text())
    optimized = report["evaluation"]["models"][1]["top1"]["value"]
    assert ran.json["models"][0]["top1"]["value"] == pytest.approx(optimized)


WITHOUT_TENSORFLOW = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "tf_keras", "litert_quantizer"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from tfmobile.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", ["evaluate", "benchmark", "inspect"])
def test_a_device_without_tensorflow_can(command: str, small: Sample, done: Path) -> None:
    words = [command, str(done / "model.tflite"), "--json"]
    if command != "inspect":
        words += ["--data", str(small.test)]
    if command == "benchmark":
        words += ["--latency-budget", "2"]
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)


def test_without_tensorflow_optimize_says_how_to_get_it(small: Sample, tmp_path: Path) -> None:
    words = ["optimize", str(small.model), "--recipe", "float32", "-o", str(tmp_path / "out"), "--json"]
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *words], capture_output=True, text=True, check=False
    )
    error = json.loads(ran.stdout)["error"]
    assert ran.returncode == 7
    assert "tfmobile[convert]" in " ".join(error["fixes"])


@pytest.mark.parametrize("words", [["inspect"], ["freeze", "-o", "f.pb"]])
def test_inspect_and_freeze_print_one_json_document(small: Sample, tmp_path: Path, words: list[str]) -> None:
    ran = tfmobile(*words, small.model, "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.json


def test_a_frozen_graph_is_itself_a_model(small: Sample, tmp_path: Path) -> None:
    assert tfmobile("freeze", small.model, "-o", tmp_path / "f.pb").code == 0
    data = ["--data", small.test, "--mean", "0", "--std", "255", "--no-benchmark", "--json"]
    ran = tfmobile("optimize", tmp_path / "f.pb", *data, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert ran.json["evaluation"]["comparisons"][0]["agreement"]["value"] >= 0.9
