"""The rules by which numbers become words."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.reporting import build
from tfmobile.artifacts import Comparison, Evaluation, Interval, LoadTest, ModelAccuracy, OpFact, Report
from tfmobile.reporting.accuracy_verdict import judge_accuracy
from tfmobile.reporting.judgement import judge_latency, judge_ratio, judge_size
from tfmobile.reporting.verdict import verdicts


def evaluated(change: Interval, samples: int = 500) -> Evaluation:
    whole = build.evaluation()
    comparison = dataclasses.replace(whole.comparisons[0], top1_change=change, samples=samples)
    return dataclasses.replace(whole, comparisons=(comparison,), samples=samples)


def sized(before: int, after: int) -> Report:
    report = build.realistic()
    original = dataclasses.replace(report.original, size=dataclasses.replace(report.original.size, total_bytes=before))
    optimized = dataclasses.replace(
        report.optimized, size=dataclasses.replace(report.optimized.size, total_bytes=after)
    )
    return dataclasses.replace(report, original=original, optimized=optimized)


def test_an_interval_around_zero_is_no_measurable_loss() -> None:
    verdict = judge_accuracy(evaluated(Interval(-0.004, -0.016, 0.008)))
    assert verdict.tone == "good"
    assert verdict.detail == "no measurable loss (−0.4 points, 95 % interval −1.6 to +0.8, 500 samples)"


def test_an_interval_that_reaches_far_down_says_what_cannot_be_ruled_out() -> None:
    verdict = judge_accuracy(evaluated(Interval(-0.025, -0.079, 0.029), samples=40))
    assert verdict.tone == "neutral"
    assert "a loss of up to 7.9 points cannot be ruled out" in verdict.detail
    assert "40 samples" in verdict.clause


@pytest.mark.parametrize(("value", "tone"), [(-0.006, "caution"), (-0.036, "bad")])
def test_an_interval_below_zero_is_a_loss(value: float, tone: str) -> None:
    verdict = judge_accuracy(evaluated(Interval(value, value - 0.004, value + 0.004)))
    assert verdict.tone == tone
    assert verdict.words == f"loses {abs(value) * 100:.1f} points"


def test_an_interval_above_zero_is_a_gain_and_goes_first_in_the_headline() -> None:
    report = dataclasses.replace(build.realistic(), evaluation=evaluated(Interval(0.012, 0.004, 0.02)))
    words = verdicts(report)
    assert words.accuracy.words == "gains 1.2 points"
    assert words.headline == "3.3× smaller, 2.3× faster and gains 1.2 points of accuracy."


def test_a_loss_too_small_for_one_decimal_is_still_named() -> None:
    assert judge_accuracy(evaluated(Interval(-0.0004, -0.0006, -0.0002))).words == "loses 0.04 points"


@pytest.mark.parametrize(
    ("before", "after", "words", "tone"),
    [
        (1_926_356, 584_000, "3.3× smaller", "good"),
        (1000, 1200, "1.2× larger", "caution"),
        (1000, 1005, "same size", "neutral"),
        (0, 5, "size unknown", "unknown"),
    ],
)
def test_size_in_words(before: int, after: int, words: str, tone: str) -> None:
    report = sized(before, after)
    verdict = judge_size(report.original, report.optimized)
    assert (verdict.words, verdict.tone) == (words, tone)


@pytest.mark.parametrize(
    ("ratio", "words", "tone"),
    [
        (Interval(2.31, 2.2, 2.4), "2.3× faster", "good"),
        (Interval(12.4, 11.0, 13.0), "12× faster", "good"),
        (Interval(1.07, 1.05, 1.09), "1.07× faster", "good"),
        (Interval(0.71, 0.69, 0.74), "slower than the original", "bad"),
        (Interval(1.01, 0.98, 1.04), "no measurable difference", "neutral"),
        (Interval(1.01, 1.005, 1.015), "same speed", "neutral"),
        (Interval(2.0, math.nan, math.nan), "no measurable difference", "neutral"),
    ],
)
def test_latency_in_words(ratio: Interval, words: str, tone: str) -> None:
    assert judge_ratio(ratio)[:2] == (tone, words)


def test_another_verdict_in_another_setting_is_named() -> None:
    latency = build.latency()
    slow = dataclasses.replace(latency.ratios[2], value=Interval(0.8, 0.78, 0.83))
    verdict = judge_latency(dataclasses.replace(latency, ratios=(*latency.ratios[:2], slow)))
    assert verdict.words == "2.3× faster"
    assert verdict.detail.endswith("slower than the original with 1 thread, XNNPACK off")


def test_no_ratio_is_not_compared() -> None:
    assert judge_latency(dataclasses.replace(build.latency(), ratios=())).words == "not compared"


def test_headlines() -> None:
    assert verdicts(build.slower()).headline == (
        "3.3× smaller, but slower than the original (takes 1.4× as long) and loses 3.6 points of accuracy."
    )
    assert verdicts(build.minimal()).headline == "3.3× smaller; speed and accuracy were not measured."
    no_gain = dataclasses.replace(sized(1000, 1000), latency=None, evaluation=None)
    assert verdicts(no_gain).headline == "The same size; speed and accuracy were not measured."
    fast_only = dataclasses.replace(sized(1000, 1200), evaluation=None)
    assert verdicts(fast_only).headline == "2.3× faster, but 1.2× larger; accuracy was not measured."


def unlabelled(agreement: Interval | None, snr: float | None) -> Evaluation:
    comparison = Comparison("original", "optimized", 200, agreement, None, None, None, None, None, snr, 0.99, 0.1, 0)
    models = (ModelAccuracy("original"), ModelAccuracy("optimized"))
    return Evaluation("outputs", 200, False, models, (comparison,))


@pytest.mark.parametrize(
    ("evaluation", "words", "tone"),
    [
        (unlabelled(Interval(0.985, 0.96, 0.99), 20.0), "same answer on 98.5 %", "good"),
        (unlabelled(Interval(0.95, 0.92, 0.97), 20.0), "same answer on 95.0 %", "caution"),
        (unlabelled(Interval(0.6, 0.5, 0.7), 20.0), "same answer on 60.0 %", "bad"),
        (unlabelled(None, 31.2), "output SNR 31.2 dB", "good"),
        (unlabelled(None, 4.0), "output SNR 4.0 dB", "bad"),
        (unlabelled(None, math.inf), "exact outputs", "good"),
        (unlabelled(None, None), "not compared", "unknown"),
    ],
)
def test_without_labels_likeness_is_judged_and_said_so(evaluation: Evaluation, words: str, tone: str) -> None:
    verdict = judge_accuracy(evaluation)
    assert (verdict.words, verdict.tone) == (words, tone)
    assert "accuracy itself was not measured" in verdict.detail


@pytest.mark.parametrize(
    ("change", "words", "tone"),
    [
        (Interval(0.1, 0.05, 0.15), "mean error grows by 10 %", "bad"),
        (Interval(0.03, 0.01, 0.05), "mean error grows by 3.0 %", "caution"),
        (Interval(0.01, -0.01, 0.03), "no measurable loss", "good"),
        (Interval(-0.1, -0.15, -0.05), "mean error shrinks by 10 %", "good"),
    ],
)
def test_regression_is_judged_by_the_mean_absolute_error(change: Interval, words: str, tone: str) -> None:
    models = (
        ModelAccuracy("original", mae=Interval(1.0, 0.9, 1.1)),
        ModelAccuracy("optimized", mae=Interval(1.0 + change.value, 0.9, 1.2)),
    )
    comparison = Comparison("original", "optimized", 300, None, None, change, None, None, None, 30.0, 0.9, 0.1, 0)
    verdict = judge_accuracy(Evaluation("regression", 300, True, models, (comparison,), "MAE"))
    assert (verdict.words, verdict.tone) == (words, tone)


def test_a_users_metric_is_named_and_never_called_better_or_worse() -> None:
    models = tuple(ModelAccuracy(name, metric=Interval(30.0, 29.0, 31.0)) for name in ("original", "optimized"))
    change = Interval(-0.4, -0.6, -0.2)
    comparison = Comparison("original", "optimized", 300, None, None, change, None, None, None, 30.0, 0.9, 0.1, 0)
    verdict = judge_accuracy(Evaluation("metric", 300, True, models, (comparison,), "quality:psnr"))
    assert verdict.words == "quality:psnr changes by −0.400"
    assert verdict.tone == "caution"


def test_random_calibration_is_the_first_warning_and_makes_the_whole_verdict_bad() -> None:
    words = verdicts(build.minimal())
    assert words.tone == "bad"
    assert words.warnings[0].tone == "bad"
    assert "random numbers" in words.warnings[0].text


def test_infinite_outputs_an_original_that_guesses_and_float_operators_are_warned_about() -> None:
    report = build.realistic()
    assert report.evaluation is not None
    guessing = dataclasses.replace(report.evaluation.models[0], top1=Interval(0.01, 0.0, 0.02))
    ops = (OpFact(0, "CONV_2D", "a", "integer"), OpFact(1, "SOFTMAX", "b", "float"), OpFact(2, "SOFTMAX", "c", "float"))
    changed = dataclasses.replace(
        report,
        load_test=LoadTest("x", 1.0, 1, False),
        evaluation=dataclasses.replace(report.evaluation, models=(guessing, report.evaluation.models[1])),
        optimized=dataclasses.replace(report.optimized, ops=ops),
    )
    texts = " ".join(one.text for one in verdicts(changed).warnings)
    assert "NaN or infinite" in texts
    assert "as often as guessing" in texts
    assert "2 operators still compute in float: SOFTMAX (2)." in texts


def test_a_float_recipe_is_not_warned_about_float_operators() -> None:
    report = dataclasses.replace(build.realistic(), optimized=build.realistic().original)
    assert not any("in float" in one.text for one in verdicts(report).warnings)


def test_a_refused_pass_and_an_open_median_are_warned_about() -> None:
    texts = [one.text for one in verdicts(build.realistic()).warnings]
    assert any(text.startswith("The pass 'fold-constants' was refused") for text in texts)
    assert any("--latency-budget" in text for text in texts)
