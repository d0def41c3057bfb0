"""A wrong scaling or colour order is named, with the options that correct it; the right one is left in peace."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.diagnosis.colored_digits import answer, held_out, inputs
from tfmobile.artifacts import Finding, Sample, ScalingTrial, TensorFact
from tfmobile.datasets.spec import Preprocessing
from tfmobile.diagnosis.preprocessing_check import check_preprocessing

SIGNED = (127.5, 127.5)
BYTES = (0.0, 1.0)
UNIT = (0.0, 255.0)

Result = tuple[tuple[ScalingTrial, ...], tuple[Finding, ...]]


def plan(mean: float, std: float, **more: str) -> Preprocessing:
    return Preprocessing(mean=(mean,) if mean else (), std=(std,) if std != 1 else (), **more)  # type: ignore[arg-type]


def check(trained: tuple[float, float], now: Preprocessing, samples: list[Sample] | None = None) -> Result:
    return check_preprocessing(answer(*trained), samples or held_out(), now, inputs(*trained))


def unlabelled() -> list[Sample]:
    return [dataclasses.replace(sample, label=None) for sample in held_out()]


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("trained", [SIGNED, BYTES, UNIT])
def test_the_right_preprocessing_is_left_in_peace(trained: tuple[float, float], labels: bool) -> None:
    trials, findings = check(trained, plan(*trained), held_out() if labels else unlabelled())
    assert findings == ()
    present = next(trial for trial in trials if trial.present)
    assert present.confidence > 0.8
    assert (present.accuracy is not None) == labels
    assert not labels or (present.accuracy or 0) > 0.85


@pytest.mark.parametrize("labels", [True, False])
def test_pixels_0_to_255_for_a_network_that_wants_minus_1_to_1(labels: bool) -> None:
    trials, findings = check(SIGNED, plan(*BYTES), held_out() if labels else unlabelled())
    finding = only(findings)
    assert finding.cause == "preprocessing-mismatch"
    assert "--mean 127.5 --std 127.5" in finding.fix
    assert finding.severity >= 0.6
    present = next(trial for trial in trials if trial.present)
    assert trials[0].information > present.information


@pytest.mark.parametrize("labels", [True, False])
def test_minus_1_to_1_for_a_network_that_wants_pixels_0_to_255(labels: bool) -> None:
    _, findings = check(BYTES, plan(*SIGNED), held_out() if labels else unlabelled())
    finding = only(findings)
    assert finding.cause == "preprocessing-mismatch"
    assert finding.fix.startswith("Leave --mean 127.5 --std 127.5 out.")


@pytest.mark.parametrize("labels", [True, False])
def test_red_and_blue_exchanged(labels: bool) -> None:
    _, findings = check(SIGNED, plan(*SIGNED, color="bgr"), held_out() if labels else unlabelled())
    finding = only(findings)
    assert finding.cause == "channel-order"
    assert finding.fix.startswith("Give --color rgb.")


def test_samples_that_are_normalized_already_are_normalized_again() -> None:
    scaled = [
        dataclasses.replace(sample, values=(np.asarray(sample.values[0], np.float32) / 127.5 - 1,))
        for sample in held_out()
        if isinstance(sample.values, tuple)
    ]
    _, findings = check(SIGNED, plan(*SIGNED), scaled)
    assert only(findings).fix.startswith("Leave --mean 127.5 --std 127.5 out.")
    assert check(SIGNED, plan(*BYTES), scaled)[1] == ()


def test_the_options_count_in_the_units_of_the_stored_samples() -> None:
    scaled = [
        dataclasses.replace(sample, values=(np.asarray(sample.values[0], np.float32) / 255,))
        for sample in held_out()
        if isinstance(sample.values, tuple)
    ]
    _, findings = check(BYTES, plan(*BYTES), scaled)
    assert "--std 0.00392157" in only(findings).fix


def test_wrong_labels_do_not_make_a_right_scaling_wrong() -> None:
    shifted = [dataclasses.replace(sample, label=int(sample.label or 0) + 1) for sample in held_out()]
    shifted = [sample for sample in shifted if isinstance(sample.label, int) and sample.label < 10]
    assert check(SIGNED, plan(*SIGNED), shifted)[1] == ()


def test_a_network_that_says_the_same_to_everything_is_at_chance_whatever_it_gets() -> None:
    generator = np.random.default_rng(0)

    def shrug(feeds: object) -> list[dict[str, np.ndarray]]:
        assert isinstance(feeds, list)
        return [{"y": generator.normal(0, 0.01, (1, 10)).astype(np.float32)} for _ in feeds]

    _, findings = check_preprocessing(shrug, held_out(), plan(*SIGNED), inputs(*SIGNED))
    assert only(findings).cause == "model-at-chance"


def test_answers_that_only_get_surer_with_larger_values_are_no_evidence() -> None:
    """Without biases a network is as right on 0 to 255 as on 0 to 1, and much surer."""
    means = {label: np.mean([s.values[0] for s in held_out(200) if s.label == label], axis=0) for label in range(10)}
    middle = np.mean(list(means.values()), axis=0)
    weights = np.stack([(means[label] - middle).reshape(-1) for label in range(10)], axis=1) * 0.004

    def linear(feeds: object) -> list[dict[str, np.ndarray]]:
        assert isinstance(feeds, list)
        pictures = [next(iter(feed.values())) for feed in feeds]
        contrasts = [(picture - picture.mean(axis=(1, 2), keepdims=True)).reshape(1, -1) for picture in pictures]
        return [{"y": contrast @ weights} for contrast in contrasts]

    wanted = (TensorFact("x", (1, 14, 14, 3), "float32"),)
    trials, findings = check_preprocessing(linear, unlabelled(), plan(*UNIT), wanted)
    assert trials[0].information > 1.2 * next(trial.information for trial in trials if trial.present)
    assert findings == ()


def test_nothing_is_tried_where_it_would_say_nothing() -> None:
    two = (TensorFact("a", (1, 2), "float32"), TensorFact("b", (1, 2), "float32"))
    assert check_preprocessing(answer(*SIGNED), held_out(), plan(*SIGNED), two) == ((), ())
    assert check(SIGNED, plan(*SIGNED), held_out(4)) == ((), ())

    def echo(feeds: object) -> list[dict[str, np.ndarray]]:
        assert isinstance(feeds, list)
        return [{"y": next(iter(feed.values()))} for feed in feeds]

    assert check_preprocessing(echo, held_out(), plan(*SIGNED), inputs(*SIGNED)) == ((), ())
