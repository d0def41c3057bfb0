"""Sentences about a measurement that its reader has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfmobile.benchmarking.intervals import half_width, median_interval
from tfmobile.benchmarking.schedule import NARROW, converged
from tfmobile.benchmarking.setting import TFLITE, Measured, Setting


def of_loading(setting: Setting, delegated_ops: int | None, known: Sequence[str]) -> list[str]:
    """Whether XNNPACK really was on or off: a runtime shows a DELEGATE node for what it took over."""
    if setting.runtime != TFLITE:
        return []
    if delegated_ops is None:
        note = "This runtime does not tell whether XNNPACK was used; on and off are as asked for."
    elif setting.xnnpack and delegated_ops == 0:
        note = f"XNNPACK took over no operator of {setting.name}: its rows with XNNPACK on use the plain kernels."
    elif not setting.xnnpack and delegated_ops:
        note = f"XNNPACK could not be switched off for {setting}."
    else:
        return []
    return [] if note in known else [note]


def of_results(measured: Sequence[Measured], time_budget_s: float, host: Mapping[str, str]) -> list[str]:
    """Medians that are not certain, and a machine that was busy with something else."""
    notes = []
    wide = [
        f"{one.setting} ±{100 * half_width(median_interval(one.blocks)):.1f} %"
        for one in measured
        if not converged(one)
    ]
    if wide:
        notes.append(
            f"The time budget of {time_budget_s:g} s ended before these medians were certain to ±{100 * NARROW:g} %: "
            f"{'; '.join(wide)}. Give more with --latency-budget."
        )
    load, cores = float(host.get("load average", 0)), int(host.get("cores", 1))
    if load > cores + 0.5:
        notes.append(
            f"The machine was busy when timing began (load average {load:g} on {cores} cores): times may be too long."
        )
    return notes
