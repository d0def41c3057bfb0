"""``tfmobile diagnose``, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.running import Sample, tfmobile, tfmobile_here

SCALED = ("--mean", "0", "--std", "255")


def test_a_model_is_diagnosed_and_the_page_is_written(small: Sample, tmp_path: Path) -> None:
    page = tmp_path / "diagnosis.html"
    ran = tfmobile_here(
        "diagnose", small.model, "--data", small.test, "--calibrate-with", small.calibration, *SCALED,
        "--recipe", "int8-fast", "--out", page, "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    found = ran.json
    assert found["recipe"] == "int8-fast"
    assert found["held_back"] == found["labelled"] == 30
    assert found["fidelity"]["agreement"] > 0.8
    assert found["effect_samples"] > 0
    assert [layer["op"] for layer in found["layers"]][:2] == ["INPUT", "CONV_2D"]
    assert sum(layer["only_this"] is not None for layer in found["layers"]) >= 5
    assert "<svg" in page.read_text(encoding="utf-8")


def test_one_data_set_is_split(small: Sample) -> None:
    ran = tfmobile_here("diagnose", small.model, "--data", small.test, *SCALED, "--recipe", "int8-fast", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["samples"] + ran.json["held_back"] <= 30


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--recipe", "float16"), 5, "--recipe int8"),
        (("--out", "diagnosis.pdf"), 2, "diagnosis.html"),
        (("--out", "nowhere/diagnosis.html"), 8, "no folder"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    small: Sample, words: tuple[str, ...], code: int, says: str
) -> None:
    ran = tfmobile_here("diagnose", small.model, "--data", small.test, *words)
    assert ran.code == code
    assert says in ran.out + ran.err


def test_without_data_nothing_can_be_said(small: Sample) -> None:
    ran = tfmobile_here("diagnose", small.model)
    assert ran.code == 4
    assert "--data" in ran.err


@pytest.mark.slow
def test_resnet8_loses_at_its_pool_which_shares_a_scale(shared: Path) -> None:
    ran = tfmobile(
        "diagnose", shared / "models/mlperf_tiny/resnet8_cifar10.h5", "--recipe", "int8-fast", "--json",
        "--data", shared / "datasets/cifar10_test_2000.npz",
        "--calibrate-with", shared / "datasets/cifar10_calibration_500.npz",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    worst = ran.json["findings"][0]
    assert worst["cause"] == "pool-shares-scale"
    assert "average_pooling2d" in worst["where"]


@pytest.mark.slow
def test_the_input_of_the_keyword_network_is_stretched_by_silence(shared: Path) -> None:
    ran = tfmobile(
        "diagnose", shared / "models/kws_ds_cnn/DS_CNN_S.pb", "--input", "Mfcc", "--output", "labels_softmax",
        "--recipe", "int8-fast", "--json", "--data", shared / "datasets/speech_mfcc_test_1200.npz",
        "--calibrate-with", shared / "datasets/speech_mfcc_calibration_300.npz",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert {"outlier-channel", "stretched-input"} <= {one["cause"] for one in ran.json["findings"]}
    assert max(ran.json["layers"], key=lambda layer: layer["share"])["name"] == "Mfcc"
