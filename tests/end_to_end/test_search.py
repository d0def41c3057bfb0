"""``optimize --max-drop`` as a user runs it: what is chosen, reproduced, refused, and resumed after a kill."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.running import Ran, Sample, tfmobile
from tfmobile.quantization import recipe
from tfmobile.search.recipe_text import recipe_text

FAST = ["--no-benchmark", "--no-evaluate", "--mean", "0", "--std", "255"]


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Tells the brightest quarter of a picture. One of its filters never answers, but has weights 4000 times larger
    than the others: with one scale a tensor they all become 0."""
    import keras

    folder = tmp_path_factory.mktemp("uneven")
    layers = keras.layers
    first = layers.Conv2D(4, 4, strides=4, activation="relu", name="first")
    last = layers.Dense(4, activation="softmax", name="last")
    middle = layers.Dense(256, activation="relu", name="middle")
    model = keras.Sequential([keras.Input((8, 8, 1)), first, layers.Flatten(), middle, last])
    kernel, bias = np.full((4, 4, 1, 4), 1 / 16, np.float32), np.zeros(4, np.float32)
    kernel[..., 3] = 250 * np.where(np.indices((4, 4)).sum(0) % 2, 1, -1)[..., np.newaxis]
    bias[3] = -10_000
    weights, choice = np.zeros((16, 256), np.float32), np.zeros((256, 4), np.float32)
    for quarter in range(4):
        weights[4 * quarter : 4 * quarter + 3, quarter::4] = [[3], [4], [5]]
        choice[quarter::4, quarter] = 1 / 64
    first.set_weights([kernel, bias])
    middle.set_weights([weights, np.zeros(256, np.float32)])
    last.set_weights([choice, np.zeros(4, np.float32)])
    model.save(folder / "model.keras")
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 120)
    pictures = random.integers(0, 120, (120, 8, 8, 1), dtype=np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[4 * (label // 2) :, 4 * (label % 2) :][:4, :4] += 100
    np.savez_compressed(folder / "calibration.npz", x=pictures[:60])
    np.savez_compressed(folder / "test.npz", x=pictures[60:], y=labels[60:])
    return Sample(folder / "model.keras", folder / "calibration.npz", folder / "test.npz")


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of one's own: one scale a tensor, nothing improved."""
    file = tmp_path_factory.mktemp("recipes") / "coarse.toml"
    file.write_text(recipe_text(recipe("int8-per-tensor-fast")), encoding="utf-8")
    return file


def words(small: Sample, out: Path, *more: str) -> list[str]:
    data = ["--data", small.test, "--calibrate-with", small.calibration]
    return [str(word) for word in ("optimize", small.model, *data, *FAST, "-o", out, *more)]


def report(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return ran.json


def exacting(uneven: Sample, coarse: Path, out: Path) -> list[str]:
    return words(uneven, out, "--recipe", str(coarse), "--max-drop", "0", "--min-agreement", "1", "--json")


@pytest.fixture(scope="module")
def searched(uneven: Sample, coarse: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A search that has to go beyond 8 bits."""
    out = tmp_path_factory.mktemp("searched")
    return out, report(tfmobile(*exacting(uneven, coarse, out)))


def test_the_chosen_candidate_is_the_result(searched: tuple[Path, Any]) -> None:
    out, found = searched
    search = found["search"]
    assert found["recipe"]["name"] == search["chosen"]
    assert search["why"].startswith(search["chosen"])
    chosen = next(trial for trial in search["trials"] if trial["name"] == search["chosen"])
    assert chosen["verdict"] == "within"
    assert all(loss["value"]["value"] <= 0 for loss in chosen["losses"])
    assert {file.stem for file in (out / "candidates").iterdir()} == {trial["name"] for trial in search["trials"]}


def test_the_layer_that_spoils_the_answer_gets_more_bits(searched: tuple[Path, Any]) -> None:
    _, found = searched
    trials = {trial["name"]: trial for trial in found["search"]["trials"]}
    assert trials["coarse"]["verdict"] == "beyond"
    (layer,) = trials[found["search"]["chosen"]]["higher"]
    assert "first" in layer


def test_the_recipe_of_every_candidate_makes_the_same_bytes_again(
    uneven: Sample, coarse: Path, searched: tuple[Path, Any], tmp_path: Path
) -> None:
    out, found = searched
    file = out / "candidates" / f"{found['search']['chosen']}.toml"
    again = report(tfmobile(*words(uneven, tmp_path, "--recipe", str(file), "--json")))
    assert (tmp_path / "model.tflite").read_bytes() == (out / "model.tflite").read_bytes()
    assert set(again["recipe"]["precision"].values()) == {"float16"}


@pytest.mark.slow
def test_one_set_of_samples_is_divided_and_the_parts_can_be_used_again(small: Sample, tmp_path: Path) -> None:
    one = ["optimize", small.model, "--data", small.test, *FAST]
    found = report(tfmobile(*one, "--max-drop", "5", "--json", "-o", tmp_path / "a"))
    assert any("15 of them were used to calibrate" in note for note in found["notes"])
    assert found["search"]["samples"] == 15
    assert "--data" in found["command"]
    assert str(small.test) in found["command"]

    file = tmp_path / "a" / "candidates" / f"{found['search']['chosen']}.toml"
    fit = tmp_path / "a" / "fit-samples.json"
    again = tfmobile(*one, "--calibrate-with", fit, "--recipe", file, "-o", tmp_path / "b")
    assert again.code == 0, again.err
    assert (tmp_path / "b" / "model.tflite").read_bytes() == (tmp_path / "a" / "model.tflite").read_bytes()


@pytest.mark.slow
def test_without_labels_the_original_s_own_confidence_says_what_is_lost(small: Sample, tmp_path: Path) -> None:
    unlabelled = ["optimize", small.model, "--calibrate-with", small.calibration, *FAST]
    found = report(tfmobile(*unlabelled, "--max-drop", "2", "--json", "-o", tmp_path))
    assert found["search"]["allowances"][0]["measure"] == "expected top-1"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--max-drop", "-1"], "--max-drop must not be below 0"),
        (["--min-agreement", "98"], "--min-agreement is a fraction"),
        (["--max-drop", "1", "--time-budget", "soon"], "no duration"),
        (["--max-drop", "0.1", "--metric", "quality:psnr"], "--better higher"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_before_any_work(
    small: Sample, tmp_path: Path, more: list[str], says: str
) -> None:
    ran = tfmobile(*words(small, tmp_path / "out", *more))
    assert ran.code == 2
    assert says in ran.err


@pytest.mark.slow
def test_a_metric_of_one_s_own_decides_when_its_direction_is_known(small: Sample, tmp_path: Path) -> None:
    (tmp_path / "quality.py").write_text(
        "def sharpness(outputs, label): return float(max(next(iter(outputs.values()))[0]))\n"
    )
    more = ["--metric", "quality:sharpness", "--better", "higher", "--max-drop", "0.05", "--json"]
    found = report(tfmobile(*words(small, tmp_path / "out", *more), cwd=tmp_path))
    (allowance,) = found["search"]["allowances"]
    assert (allowance["measure"], allowance["most"], allowance["asked"]) == (
        "quality:sharpness",
        0.05,
        "--max-drop 0.05",
    )


# The process kills itself when so many answers of candidates are stored: a race-free stand-in for `kill -9`.
DIE = """
import os, signal, sys
import tfmobile.workspace as workspace
original, count = workspace.Workspace._store, 0
def dying(self, folder, step):
    global count
    original(self, folder, step)
    count += folder.name.startswith("trial-")
    if count == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
workspace.Workspace._store = dying
from tfmobile.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_in_the_search_the_next_run_goes_on_and_chooses_the_same(
    uneven: Sample, coarse: Path, searched: tuple[Path, Any], tmp_path: Path
) -> None:
    undisturbed, found = searched
    same = exacting(uneven, coarse, tmp_path)
    died = subprocess.run([sys.executable, "-c", DIE.format(at=1), *same], capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    stored = len(list(tmp_path.glob(".work/trial-*")))
    assert stored == 1
    assert not (tmp_path / "model.tflite").exists()

    again = report(tfmobile(*same))
    (step,) = [one for one in again["steps"] if one["name"] == "search"]
    assert step["facts"]["steps_reused"] >= stored
    assert [one["name"] for one in again["search"]["trials"]] == [one["name"] for one in found["search"]["trials"]]
    assert (tmp_path / "model.tflite").read_bytes() == (undisturbed / "model.tflite").read_bytes()


def test_a_search_that_was_finished_is_not_done_again(
    uneven: Sample, coarse: Path, searched: tuple[Path, Any], tmp_path: Path
) -> None:
    out, found = searched
    shutil.copytree(out, tmp_path / "copy")
    again = report(tfmobile(*exacting(uneven, coarse, tmp_path / "copy")))
    (step,) = [one for one in again["steps"] if one["name"] == "search"]
    assert step["reused"]
    assert again["search"] == found["search"]
    assert np.array_equal(*(np.fromfile(folder / "model.tflite", np.uint8) for folder in (out, tmp_path / "copy")))
    assert (tmp_path / "copy" / "candidates").is_dir()
