"""The verdict on accuracy: what the paired interval allows to say, and no more."""

from __future__ import annotations

import math

from tfmobile.artifacts import Comparison, Evaluation, Interval
from tfmobile.reporting import formatting
from tfmobile.reporting.judgement import Tone, Verdict
from tfmobile.reporting.selection import compared, main_comparison

BAD_LOSS = 0.02
"""A measurable loss of two points or more is bad, a smaller one asks for caution."""
WIDE = 0.02
"""When the interval reaches below this loss, "no measurable loss" says how much loss it cannot exclude."""
LIKE = 0.98
"""Without labels: agreement from here on is good, below BAD_AGREEMENT bad."""
BAD_AGREEMENT = 0.90
GOOD_SNR_DB, BAD_SNR_DB = 20.0, 10.0


def judge_accuracy(evaluation: Evaluation | None) -> Verdict:
    """Loss, gain or neither, from the interval of the paired difference; or likeness when there are no labels."""
    comparison = main_comparison(evaluation)
    if evaluation is None or comparison is None:
        return Verdict("unknown", "not measured", "Accuracy was not measured in this run.", "accuracy")
    return judge_comparison(evaluation, comparison)


def judge_comparison(evaluation: Evaluation, comparison: Comparison) -> Verdict:
    """The verdict on one candidate against its reference."""
    if comparison.top1_change is not None:
        return _judge_top1(comparison.top1_change, comparison.samples)
    if comparison.metric_change is not None and evaluation.task == "regression":
        return _judge_error(evaluation, comparison, comparison.metric_change)
    if comparison.metric_change is not None:
        return _judge_metric(evaluation, comparison, comparison.metric_change)
    return _judge_likeness(comparison)


def _judge_top1(change: Interval, samples: int) -> Verdict:
    loss = abs(100 * change.value)
    amount = f"{loss:.1f}" if loss >= 0.05 else formatting.significant(loss, 1)
    numbers = (
        f"{formatting.points(change.value)} points, 95 % interval {formatting.points_range(change)}, "
        f"{formatting.count(samples, 'sample')}"
    )
    if change.high < 0:
        tone: Tone = "bad" if -change.value >= BAD_LOSS else "caution"
        words = f"loses {amount} points"
        return Verdict(tone, words, f"{words} ({numbers})", f"{words} of accuracy", numbers)
    if change.low > 0:
        words = f"gains {amount} points"
        return Verdict("good", words, f"{words} ({numbers})", f"{words} of accuracy", numbers)
    if change.low < -WIDE:
        doubt = f"a loss of up to {abs(100 * change.low):.1f} points cannot be ruled out"
        clause = f"no measurable loss of accuracy ({doubt} on {formatting.count(samples, 'sample')})"
        detail = f"no measurable loss ({numbers}); {doubt}"
        return Verdict("neutral", "no measurable loss", detail, clause, f"{numbers}; {doubt}")
    clause = "no measurable loss of accuracy"
    return Verdict("good", "no measurable loss", f"no measurable loss ({numbers})", clause, numbers)


def _judge_error(evaluation: Evaluation, comparison: Comparison, change: Interval) -> Verdict:
    """Regression: the change of the mean error; up is worse."""
    before, _ = compared(evaluation)
    base = before.mae.value if before is not None and before.mae is not None else math.nan
    share = 100 * change.value / base if base else math.nan
    numbers = (
        f"{formatting.signed_significant(change.value)}, 95 % interval {formatting.signed_significant(change.low)} to "
        f"{formatting.signed_significant(change.high)}, {formatting.count(comparison.samples, 'sample')}"
    )
    by = f" by {formatting.significant(abs(share), 2)} %" if math.isfinite(share) else ""
    if change.low > 0:
        tone: Tone = "bad" if not math.isfinite(share) or share >= 5 else "caution"
        words = f"mean error grows{by}"
        return Verdict(tone, words, f"{words} ({numbers})", f"the mean error grows{by}", numbers)
    if change.high < 0:
        words = f"mean error shrinks{by}"
        return Verdict("good", words, f"{words} ({numbers})", f"a mean error that shrinks{by}", numbers)
    detail = f"no measurable change of the mean error ({numbers})"
    return Verdict("good", "no measurable loss", detail, "no measurable loss", numbers)


def _judge_metric(evaluation: Evaluation, comparison: Comparison, change: Interval) -> Verdict:
    """A user's metric: whether up is better is not known, so a change is only named."""
    name = evaluation.metric_name or "the metric"
    numbers = (
        f"{formatting.signed_significant(change.value)}, 95 % interval {formatting.signed_significant(change.low)} to "
        f"{formatting.signed_significant(change.high)}, {formatting.count(comparison.samples, 'sample')}"
    )
    if change.low <= 0 <= change.high:
        words = f"no measurable change of {name}"
        return Verdict("good", "no measurable change", f"{words} ({numbers})", words, numbers)
    words = f"{name} changes by {formatting.signed_significant(change.value)}"
    return Verdict("caution", words, f"{words} ({numbers})", words, numbers)


def _judge_likeness(comparison: Comparison) -> Verdict:
    """No labels: how often, or how closely, the answers agree."""
    end = f"{formatting.count(comparison.samples, 'sample')}, no labels: accuracy itself was not measured"
    if comparison.agreement is not None:
        same = comparison.agreement
        tone: Tone = "good" if same.value >= LIKE else "bad" if same.value < BAD_AGREEMENT else "caution"
        words = f"same answer on {formatting.percent(same.value)}"
        detail = f"{words} (95 % interval {formatting.percent_range(same)}, {end})"
        only = "" if tone == "good" else "only "
        clause = f"the same answer on {only}{formatting.percent(same.value)} of unlabelled samples"
        return Verdict(tone, words, detail, clause)
    snr = comparison.snr_db
    if snr is None or math.isnan(snr):
        return Verdict("unknown", "not compared", f"The outputs could not be compared ({end}).", "accuracy")
    tone = "good" if snr >= GOOD_SNR_DB else "bad" if snr < BAD_SNR_DB else "caution"
    if math.isinf(snr):
        return Verdict("good", "exact outputs", f"The outputs are exactly the original's ({end}).", "exact outputs")
    words = f"output SNR {formatting.decibels(snr)}"
    only = "" if tone == "good" else "only "
    return Verdict(tone, words, f"{words} ({end})", f"an output SNR of {only}{formatting.decibels(snr)}")
