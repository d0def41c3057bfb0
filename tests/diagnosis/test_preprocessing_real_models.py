"""The preprocessing check on published networks: silent where it is right, with the right options where it is not."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

import pytest

from tfmobile.artifacts import Finding
from tfmobile.conversion import convert
from tfmobile.datasets import DataSpec, Preprocessing, open_dataset
from tfmobile.diagnosis.answers import answer_of
from tfmobile.diagnosis.preprocessing_check import check_preprocessing, spread_samples
from tfmobile.loading import load
from tfmobile.runtime import describe

pytestmark = pytest.mark.slow
PIXELS = Preprocessing()
UNIT = Preprocessing(std=(255.0,))
SIGNED = Preprocessing(mean=(127.5,), std=(127.5,))
NEAR_SIGNED = Preprocessing(mean=(127.0,), std=(128.0,))
MINUS_1_TO_1 = ("--mean 127.5 --std 127.5", "--mean 127 --std 128")


@dataclass(frozen=True)
class Real:
    model: str
    data: str
    right: Preprocessing


MODELS = {
    "mobilenet": Real("mobilenet_v1_0.25_224/frozen.pb", "imagenet_val_500", SIGNED),
    "efficientnet": Real("efficientnet_lite0/model.keras", "imagenet_val_500", NEAR_SIGNED),
    "resnet8": Real("mlperf_tiny/resnet8_cifar10.h5", "cifar10_test_2000.npz", PIXELS),
}


@functools.cache
def floating(shared: Path, name: str) -> bytes:
    graph = load(shared / "models" / MODELS[name].model).graph
    assert graph is not None
    return convert(graph)


def check(shared: Path, name: str, plan: Preprocessing, *, labels: bool) -> tuple[Finding, ...]:
    samples = spread_samples(open_dataset(DataSpec(str(shared / "datasets" / MODELS[name].data))))
    if not labels:
        samples = [dataclasses.replace(sample, label=None) for sample in samples]
    model = floating(shared, name)
    return check_preprocessing(answer_of(model), samples, plan, describe(model).inputs)[1]


@pytest.mark.parametrize(
    ("name", "labels"), [("mobilenet", True), ("mobilenet", False), ("efficientnet", False), ("resnet8", True)]
)
def test_right(shared: Path, name: str, labels: bool) -> None:
    assert check(shared, name, MODELS[name].right, labels=labels) == ()


@pytest.mark.parametrize(("name", "labels"), [("mobilenet", True), ("mobilenet", False), ("efficientnet", False)])
def test_pixels_for_a_network_that_wants_minus_1_to_1(shared: Path, name: str, labels: bool) -> None:
    (finding,) = check(shared, name, PIXELS, labels=labels)
    assert finding.cause == "preprocessing-mismatch"
    assert any(options in finding.fix for options in MINUS_1_TO_1)
    assert finding.severity > 0.8


@pytest.mark.parametrize("wrong", [SIGNED, UNIT])
def test_minus_1_to_1_for_a_network_that_wants_pixels(shared: Path, wrong: Preprocessing) -> None:
    (finding,) = check(shared, "resnet8", wrong, labels=False)
    assert finding.cause == "preprocessing-mismatch"
    assert finding.fix.startswith("Leave ")


def test_0_to_1_where_minus_1_to_1_is_wanted_costs_little_and_is_seen(shared: Path) -> None:
    (finding,) = check(shared, "mobilenet", UNIT, labels=True)
    assert any(options in finding.fix for options in MINUS_1_TO_1)


@pytest.mark.parametrize("name", MODELS)
def test_red_and_blue_exchanged(shared: Path, name: str) -> None:
    (finding,) = check(shared, name, dataclasses.replace(MODELS[name].right, color="bgr"), labels=False)
    assert finding.cause == "channel-order"
    assert finding.fix.startswith("Give --color rgb.")
