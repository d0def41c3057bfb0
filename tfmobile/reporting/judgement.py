"""Verdicts in words on size and latency. The thresholds are the rules; nothing else decides a word or a colour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tfmobile.artifacts import Interval, Latency, Ratio, TFLiteModel
from tfmobile.reporting import formatting
from tfmobile.reporting.selection import main_ratios, main_rows, setting

Tone = Literal["good", "neutral", "caution", "bad", "unknown"]

SAME_SIZE = 0.01
"""Sizes within 1 % of each other are called the same."""
SAME_SPEED = 0.02
"""A ratio within 2 % of 1 is called the same speed even when the difference is certain."""


@dataclass(frozen=True)
class Verdict:
    """The same judgement in four lengths.

    ``words`` stand alone ("2.3× faster"), ``numbers`` stand beside them (the interval), ``detail`` is both in one
    sentence, ``clause`` fits into the headline.
    """

    tone: Tone
    words: str
    detail: str
    clause: str
    numbers: str = ""


def judge_size(original: TFLiteModel, optimized: TFLiteModel) -> Verdict:
    """Smaller, larger or the same, by total bytes of the .tflite."""
    before, after = original.size.total_bytes, optimized.size.total_bytes
    detail = f"{formatting.size(before)} → {formatting.size(after)}"
    if before <= 0 or after <= 0:
        return Verdict("unknown", "size unknown", detail, "")
    share = f"{formatting.signed(100 * (after / before - 1), 0)} %"
    detail, numbers = f"{detail} ({share})", f"{share} of the .tflite file"
    if abs(after / before - 1) <= SAME_SIZE:
        return Verdict("neutral", "same size", detail, "the same size", numbers)
    if after < before:
        words = f"{formatting.times(before / after)} smaller"
        return Verdict("good", words, detail, words, numbers)
    words = f"{formatting.times(after / before)} larger"
    return Verdict("caution", words, detail, words, numbers)


def judge_latency(latency: Latency | None) -> Verdict:
    """Faster, slower or not measurably different, by the ratio of medians and its interval."""
    if latency is None:
        return Verdict("unknown", "not measured", "Latency was not measured in this run.", "speed")
    ratios = main_ratios(latency)
    if not ratios or not math.isfinite(ratios[0].value.value) or ratios[0].value.value <= 0:
        return Verdict("unknown", "not compared", "No original was timed beside it.", "speed")
    first = ratios[0]
    tone, words, clause = judge_ratio(first.value)
    numbers = _numbers(first) + _other_settings(ratios)
    return Verdict(tone, words, _medians(latency) + numbers, clause, numbers)


def judge_ratio(ratio: Interval, baseline: str = "original") -> tuple[Tone, str, str]:
    """Tone, words and headline clause of one ratio of medians (above 1 is faster)."""
    if ratio.low <= 1 <= ratio.high or not (math.isfinite(ratio.low) and math.isfinite(ratio.high)):
        return "neutral", "no measurable difference", "no measurable difference in speed"
    if abs(ratio.value - 1) <= SAME_SPEED:
        return "neutral", "same speed", "the same speed"
    if ratio.value > 1:
        words = f"{formatting.times(ratio.value)} faster"
        return "good", words, words
    longer = f"takes {formatting.times(1 / ratio.value)} as long"
    words = f"slower than the {baseline}" if baseline == "original" else f"slower than {baseline}"
    return "bad", words, f"{words} ({longer})"


def _medians(latency: Latency) -> str:
    before, after = main_rows(latency)
    if before is None or after is None:
        return ""
    return f"median {formatting.milliseconds(before.p50_ms)} → {formatting.milliseconds(after.p50_ms)}, "


def _numbers(ratio: Ratio) -> str:
    value = ratio.value
    interval = f"ratio {_plain(value.value)}, 95 % interval {_plain(value.low)} to {_plain(value.high)}"
    return f"{interval} ({setting(ratio.threads, ratio.xnnpack)})"


def _other_settings(ratios: tuple[Ratio, ...]) -> str:
    """The settings in which the verdict is another one."""
    first = judge_ratio(ratios[0].value)[0]
    others = [
        f"{judge_ratio(one.value)[1]} with {setting(one.threads, one.xnnpack)}"
        for one in ratios[1:]
        if judge_ratio(one.value)[0] != first
    ]
    return f"; {formatting.listed(others)}" if others else ""


def _plain(ratio: float) -> str:
    return f"{ratio:.2f}" if math.isfinite(ratio) else formatting.DASH
