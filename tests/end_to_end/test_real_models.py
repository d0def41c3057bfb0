"""The main job on real models and data: containers agree, and int8 is as good as the plain converter's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import tfmobile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MOBILENET = "models/mobilenet_v1_0.25_224"
PICTURES = ("datasets/imagenet_val_500", "datasets/imagenet_calibration_500")


@dataclass(frozen=True)
class Real:
    """A real model with its data, the options it needs, and the smallest acceptable agreement of int8 with float."""

    model: str
    data: str
    calibration: str | None
    options: tuple[str, ...] = ()
    agreement: float = 0.9
    float_top1: float | None = None


CONTAINERS = ("model.h5", "frozen.pb", "saved_model_v1", "tf1_checkpoint")
SCALED = ("--mean", "127.5", "--std", "127.5")
OTHERS = {
    "efficientnet-lite0": Real(
        "models/efficientnet_lite0/model.keras", *PICTURES, ("--mean", "127", "--std", "128"), 0.9, 0.814
    ),
    "resnet8": Real(
        "models/mlperf_tiny/resnet8_cifar10.h5",
        "datasets/cifar10_test_2000.npz",
        "datasets/cifar10_calibration_500.npz",
        (),
        0.9,
        0.76,
    ),
    "kws": Real("models/mlperf_tiny/kws_ref_model", "datasets/kws01_mfcc_float.npz", None, (), 0.9, 0.913),
    "ds-cnn": Real(
        "models/kws_ds_cnn/DS_CNN_S.pb",
        "datasets/speech_mfcc_test_1200.npz",
        "datasets/speech_mfcc_calibration_300.npz",
        ("--input", "Mfcc", "--output", "labels_softmax", "--input-shape", "Mfcc=1x49x10"),
        0.88,
        0.904,
    ),
}


def optimize(shared: Path, real: Real, out: Path) -> dict[str, Any]:
    words: list[str | Path] = [shared / real.model, "--data", shared / real.data, *real.options]
    if real.calibration:
        words += ["--calibrate-with", shared / real.calibration]
    ran = tfmobile("optimize", *words, "--recipe", "int8", "--latency-budget", "10", "--json", "-o", out, timeout=800)
    assert ran.code == 0, ran.err
    found = ran.json
    assert isinstance(found, dict)
    return found


def top1(report: dict[str, Any]) -> tuple[float, float]:
    original, optimized = report["evaluation"]["models"]
    return original["top1"]["value"], optimized["top1"]["value"]


@pytest.fixture(scope="module")
def mobilenets(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The report of each container of the same MobileNet."""
    out = tmp_path_factory.mktemp("mobilenet")
    return {name: optimize(shared, Real(f"{MOBILENET}/{name}", *PICTURES, SCALED), out / name) for name in CONTAINERS}


def test_all_four_containers_of_one_network_answer_alike(mobilenets: dict[str, dict[str, Any]]) -> None:
    scores = {name: top1(report) for name, report in mobilenets.items()}
    # Their weights differ in the last bits, which int8 rounds to other steps here and there.
    for column, most in ((0, 0.004), (1, 0.01)):
        values = [score[column] for score in scores.values()]
        assert max(values) - min(values) <= most, scores
    assert scores["frozen.pb"][0] == pytest.approx(0.646, abs=0.002)


def test_the_loss_is_reported_with_its_interval(mobilenets: dict[str, dict[str, Any]]) -> None:
    for report in mobilenets.values():
        change = report["evaluation"]["comparisons"][0]["top1_change"]
        assert change["low"] < change["value"] < change["high"]
        assert report["evaluation"]["samples"] == 500


def plain_int8(shared: Path, pictures: list[Any]) -> bytes:
    """What TFLiteConverter makes of the same graph and the same calibration pictures."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString((shared / MOBILENET / "frozen.pb").read_bytes())
    next(node for node in graph.node if node.name == "input_2").attr["shape"].shape.dim[0].size = 1
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name=""), [])
    tensors = [wrapped.graph.get_tensor_by_name(name) for name in ("input_2:0", "predictions/Softmax:0")]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([wrapped.prune(tensors[:1], tensors[1:])])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture] for picture in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content = converter.convert()
    assert isinstance(content, bytes)
    return content


def test_int8_is_not_worse_than_the_plain_converter_and_as_small(
    shared: Path, mobilenets: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    from tfmobile.artifacts import TensorFact
    from tfmobile.datasets import feed, open_dataset
    from tfmobile.datasets.spec import DataSpec, Preprocessing

    scaled = Preprocessing(mean=(127.5,), std=(127.5,))
    wanted = (TensorFact("x", (1, 224, 224, 3), "float32"),)
    dataset = open_dataset(DataSpec(str(shared / PICTURES[1]), scaled))
    pictures = [feed(sample, scaled, wanted)["x"] for _, sample in dataset.iterate()]
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(plain_int8(shared, pictures))
    words = ["evaluate", plain, "--data", shared / PICTURES[0], *SCALED, "--json"]
    theirs = tfmobile(*words).json["models"][0]["top1"]["value"]
    for name, report in mobilenets.items():
        assert top1(report)[1] >= theirs - 1e-9, (name, top1(report), theirs)
        ours = report["optimized"]["size"]["total_bytes"] - report["optimized"]["size"]["metadata_bytes"]
        assert abs(ours / plain.stat().st_size - 1) <= 0.02


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_real_models_go_the_whole_line(shared: Path, tmp_path: Path, name: str) -> None:
    real = OTHERS[name]
    report = optimize(shared, real, tmp_path)
    original, _ = top1(report)
    if real.float_top1 is not None:
        assert original == pytest.approx(real.float_top1, abs=0.01)
    assert report["evaluation"]["comparisons"][0]["agreement"]["value"] >= real.agreement
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_float16_is_about_half(shared: Path, tmp_path: Path) -> None:
    words = ["--recipe", "float16", "--no-evaluate", "--no-benchmark", "--json", "-o", tmp_path]
    report = tfmobile("optimize", shared / MOBILENET / "frozen.pb", *words).json
    ratio = report["optimized"]["size"]["total_bytes"] / report["original"]["size"]["total_bytes"]
    assert 0.48 <= ratio <= 0.55


def test_a_real_float16_tflite_is_read_back_and_quantized(shared: Path, tmp_path: Path) -> None:
    words = ["--calibrate-with", "random", "--no-benchmark", "--json", "-o", tmp_path]
    ran = tfmobile("optimize", shared / "models/face_detection_front.tflite", *words)
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "card.json").read_text())["quantization"]["recipe"] == "int8"
