"""From the blocks of times to rows and ratios."""

from __future__ import annotations

from collections.abc import Sequence

from tfmobile.artifacts import LatencyRow, Ratio
from tfmobile.benchmarking.intervals import evenly, median_interval, percentile, ratio_interval
from tfmobile.benchmarking.schedule import converged
from tfmobile.benchmarking.setting import TFLITE, Measured

MOST_TIMES = 2000
"""How many times a row keeps; the numbers are made from all."""


def latency_row(measured: Measured) -> LatencyRow:
    """The row of one setting."""
    times = measured.times_ms
    setting = measured.setting
    return LatencyRow(
        name=setting.name,
        runtime=setting.runtime,
        threads=setting.threads,
        xnnpack=setting.xnnpack,
        runs=len(times),
        warmup_runs=measured.warmup_runs,
        p50_ms=percentile(times, 50),
        p90_ms=percentile(times, 90),
        p99_ms=percentile(times, 99),
        mean_ms=sum(times) / len(times),
        interval=median_interval(measured.blocks),
        init_ms=measured.init_ms,
        peak_memory_bytes=measured.peak_bytes,
        model_memory_bytes=measured.model_bytes,
        converged=converged(measured),
        times_ms=evenly(times, MOST_TIMES),
    )


def ratios(measured: Sequence[Measured], baseline: str) -> tuple[Ratio, ...]:
    """Every other .tflite against ``baseline`` in the same setting, from blocks of the same rounds."""
    rows = {(one.setting.name, one.setting.threads, one.setting.xnnpack): one for one in measured if _tflite(one)}
    found = []
    for (name, threads, xnnpack), one in rows.items():
        base = rows.get((baseline, threads, xnnpack))
        if base is None or name == baseline:
            continue
        found.append(Ratio(name, baseline, threads, xnnpack, ratio_interval(base.blocks, one.blocks)))
    return tuple(found)


def _tflite(one: Measured) -> bool:
    return one.setting.runtime == TFLITE
