"""A fault is planted in sound data, and named; the sound data themselves raise nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.diagnosis.colored_digits import inputs, network, pictures, predictions
from tfmobile import runtime
from tfmobile.artifacts import Finding, Statistics, TensorStatistics
from tfmobile.datasets.spec import Preprocessing
from tfmobile.diagnosis.data_checks import CHECKS, check_data, data_meaning
from tfmobile.diagnosis.data_evidence import DataEvidence
from tfmobile.diagnosis.drift import left_out
from tfmobile.diagnosis.survey import Survey, survey
from tfmobile.graph.model import Array

SCALED = (127.5, 127.5)
CALIBRATION, EVALUATION = range(700, 800), range(800, 1000)


def feed(index: int) -> dict[str, Array]:
    return {"x": (pictures()[0][index].astype(np.float32)[None] - SCALED[0]) / SCALED[1]}


def surveyed(indices: Iterable[int], *, labels: bool = False, what: str = "calibration samples") -> Survey:
    return survey([(f"{i}.png", int(pictures()[1][i]) if labels else None, feed(i)) for i in indices], what=what)


def with_answers(indices: Iterable[int], shift: int = 0) -> Survey:
    """Labelled, with the network's answers; ``shift`` is added to the labels."""
    chosen = list(indices)
    found = dataclasses.replace(surveyed(chosen, labels=True), predictions=predictions(*SCALED)[chosen])
    return dataclasses.replace(found, labels=tuple((label or 0) + shift for label in found.labels))


def statistics(feeds: Iterable[Mapping[str, Array]], aside: tuple[str, ...] = ()) -> Statistics:
    """The extremes of the input and of every tensor of the network."""
    key = inputs(*SCALED)[0].name
    renamed = [{key: one["x"]} for one in feeds]
    found = [
        {"x": one[key], **made}
        for one, made in zip(renamed, runtime.run(network(*SCALED), renamed, tensors=True), strict=True)
    ]
    tensors = {
        name: TensorStatistics(
            np.array([one[name].min() for one in found]),
            np.array([one[name].max() for one in found]),
            (0.0, 1.0),
            np.zeros(1, np.int64),
            0,
            0,
        )
        for name in found[0]
    }
    return Statistics(tensors, tuple(map(str, range(len(found)))), aside)


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def spoiled(changes: Mapping[int, Array]) -> Survey:
    """The calibration samples, some of them replaced."""
    rows = [(f"{i}.png", None, {"x": changes[i]} if i in changes else feed(i)) for i in CALIBRATION]
    return survey(rows)


def test_sound_data_raise_nothing() -> None:
    evidence = DataEvidence(
        with_answers(CALIBRATION),
        dataclasses.replace(with_answers(EVALUATION), what="evaluation samples"),
        statistics(map(feed, CALIBRATION)),
        statistics(map(feed, EVALUATION)),
        classes=10,
        preprocessing=Preprocessing(mean=(127.5,), std=(127.5,)),
        stored=(0, 255),
    )
    assert check_data(evidence) == ()


def test_repeated_samples() -> None:
    finding = only(check_data(DataEvidence(surveyed([*CALIBRATION, 705, 706, 706]))))
    assert finding.cause == "repeated-samples"
    assert finding.where == "705.png, 706.png, 706.png"
    assert "3 calibration samples (2.9 %)" in finding.what


def test_copies_that_were_removed_before_count_too() -> None:
    found = dataclasses.replace(surveyed(CALIBRATION), copies_removed=50)
    finding = only(check_data(DataEvidence(found)))
    assert finding.cause == "repeated-samples"
    assert "50 calibration samples (33 %)" in finding.what
    assert finding.severity > 0.3


def test_frames_that_hardly_differ() -> None:
    generator = np.random.default_rng(0)
    frames = {i: feed(700)["x"] + generator.normal(0, 0.004, (1, 14, 14, 3)) for i in range(701, 740)}
    finding = only(check_data(DataEvidence(spoiled(frames))))
    assert finding.cause == "near-repeats"
    assert "39 of 100" in finding.what


def test_a_constant_sample() -> None:
    finding = only(check_data(DataEvidence(spoiled({733: np.full((1, 14, 14, 3), -0.2, np.float32)}))))
    assert (finding.cause, finding.where) == ("constant-samples", "733.png")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_not_finite(value: float) -> None:
    broken = feed(733)["x"].copy()
    broken[0, 3, 3, 0] = value
    finding = only(check_data(DataEvidence(spoiled({733: broken}))))
    assert (finding.cause, finding.where) == ("not-finite", "733.png")


def test_one_sample_with_a_hot_pixel() -> None:
    broken = feed(733)["x"].copy()
    broken[0, 3, 3, 0] = 60.0
    findings = check_data(DataEvidence(spoiled({733: broken})))
    assert [(one.cause, one.where) for one in findings] == [("corrupted-samples", "733.png")]


def test_black_and_white_pictures_are_not_corrupted() -> None:
    stark = {i: np.sign(feed(i)["x"]) for i in (733, 734)}
    assert check_data(DataEvidence(spoiled(stark))) == ()


def test_samples_that_calibration_set_aside() -> None:
    sentence = "Sample '733.png' is unlike all others: it reaches 60 in tensor 'x'. It was set aside."
    sound = statistics(map(feed, CALIBRATION), (sentence,))
    finding = only(check_data(DataEvidence(surveyed(CALIBRATION), statistics=sound)))
    assert (finding.cause, finding.where) == ("corrupted-samples", "733.png")
    assert sentence in finding.what


def test_pixels_that_are_scaled_twice() -> None:
    twice = survey([(f"{i}.png", None, {"x": (feed(i)["x"] - 127.5) / 127.5}) for i in CALIBRATION])
    plan = Preprocessing(mean=(127.5,), std=(127.5,))
    finding = only(check_data(DataEvidence(twice, preprocessing=plan, stored=(-1.0, 1.0))))
    assert finding.cause == "normalized-twice"
    assert "--mean 127.5 --std 127.5" in finding.fix


@pytest.mark.parametrize("count", [4, 8])
def test_too_few_samples(count: int) -> None:
    few = range(700, 700 + count)
    finding = only(check_data(DataEvidence(surveyed(few), statistics=statistics(map(feed, few)))))
    assert finding.cause == "too-few-samples"
    assert f"With {count} samples" in finding.what
    assert finding.severity >= 0.3


def test_samples_of_three_classes_only_by_labels_and_by_answers() -> None:
    chosen = [i for i in range(1000) if pictures()[1][i] < 3][:250]
    by_labels = only(check_data(DataEvidence(surveyed(chosen, labels=True), classes=10)))
    assert by_labels.cause == "class-coverage"
    assert "no sample of classes 3, 4, 5, 6, 7 and 2 more" in by_labels.what
    bare = dataclasses.replace(with_answers(chosen), labels=(None,) * len(chosen))
    by_answers = only(check_data(DataEvidence(bare, classes=10)))
    assert by_answers.cause == "class-coverage"
    assert "by the float model's answers" in by_answers.what
    assert by_answers.severity < by_labels.severity


def test_a_class_that_is_rare() -> None:
    chosen = [i for i in range(1000) if pictures()[1][i] != 7][:400]
    chosen += [i for i in range(1000) if pictures()[1][i] == 7][:2]
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    finding = only(check_data(DataEvidence(surveyed(chosen, labels=True), classes=10, class_names=names)))
    assert "less than a fifth of an even share of class 7 (seven)" in finding.what


def test_the_first_classes_of_a_sorted_set_of_a_thousand() -> None:
    found = surveyed(range(100))
    first = dataclasses.replace(found, labels=tuple(range(10)) * 10)
    assert only(check_data(DataEvidence(first, classes=1000))).cause == "class-coverage"
    spread = dataclasses.replace(found, labels=tuple(range(0, 1000, 10)))
    assert check_data(DataEvidence(spread, classes=1000)) == ()


@pytest.mark.parametrize("shift", [1, -1])
def test_labels_numbered_from_another_start(shift: int) -> None:
    finding = only(check_data(DataEvidence(surveyed(CALIBRATION), with_answers(EVALUATION, shift), label_offset=2)))
    assert finding.cause == "label-offset"
    assert finding.fix == f"Give --label-offset {2 - shift}."


def test_labels_numbered_in_another_order() -> None:
    found = with_answers(EVALUATION)
    order = (3, 0, 7, 1, 9, 8, 2, 4, 6, 5)
    renamed = dataclasses.replace(found, labels=tuple(order[label or 0] for label in found.labels))
    finding = only(check_data(DataEvidence(surveyed(CALIBRATION), renamed)))
    assert finding.cause == "label-order"
    assert "--labels FILE" in finding.fix


def test_labels_of_other_samples() -> None:
    found = with_answers(EVALUATION)
    shuffled = tuple(np.random.default_rng(0).permutation([label or 0 for label in found.labels]).tolist())
    finding = only(check_data(DataEvidence(surveyed(CALIBRATION), dataclasses.replace(found, labels=shuffled))))
    assert finding.cause == "float-model-at-chance"


def test_evaluation_pictures_that_are_much_brighter() -> None:
    brighter = [np.clip(feed(i)["x"] + 0.9, -1, 1.6) for i in EVALUATION]
    theirs = survey([(str(i), None, {"x": x}) for i, x in enumerate(brighter)], what="evaluation samples")
    evidence = DataEvidence(
        surveyed(CALIBRATION),
        theirs,
        statistics(map(feed, CALIBRATION)),
        statistics({"x": x.astype(np.float32)} for x in brighter),
    )
    findings = check_data(evidence)
    assert {one.cause for one in findings} == {"input-drift", "range-drift"}
    assert all("--calibrate-with" in one.fix for one in findings)


def test_every_check_says_why_it_matters() -> None:
    assert all(data_meaning(cause).endswith(".") for cause in CHECKS)
    assert data_meaning("channel-imbalance") == ""


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_what_unseen_samples_do_is_a_fraction_and_falls_with_more_samples(count: int, seed: int) -> None:
    draw = np.random.default_rng(seed).normal(size=(2, count)).astype(np.float32)
    extremes = {"x": (np.minimum(*draw), np.maximum(*draw))}
    beyond, growth = left_out(extremes)
    assert 0 <= beyond <= 0.5
    assert 0 <= growth <= 1
    assert left_out(extremes) == (beyond, growth)
    doubled = {"x": (np.tile(extremes["x"][0], 8), np.tile(extremes["x"][1], 8))}
    assert left_out(doubled)[0] <= beyond + 0.02
