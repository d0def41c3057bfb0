"""The linter of representative data: what is wrong with the samples that quantization is fitted to and judged by.

The first sentence of a check's docstring is what the report says about it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from tfmobile.artifacts import Finding
from tfmobile.diagnosis.coverage import answers_at_chance, class_coverage, label_offset, label_order
from tfmobile.diagnosis.data_evidence import DataEvidence, Remark
from tfmobile.diagnosis.drift import input_drift, range_drift, too_few_samples
from tfmobile.diagnosis.odd_samples import (
    constant_samples,
    corrupted_samples,
    near_repeats,
    normalized_twice,
    not_finite,
    repeated_samples,
)

CHECKS: Mapping[str, Callable[[DataEvidence], Remark | None]] = {
    "not-finite": not_finite,
    "repeated-samples": repeated_samples,
    "near-repeats": near_repeats,
    "constant-samples": constant_samples,
    "corrupted-samples": corrupted_samples,
    "normalized-twice": normalized_twice,
    "too-few-samples": too_few_samples,
    "class-coverage": class_coverage,
    "label-offset": label_offset,
    "label-order": label_order,
    "float-model-at-chance": answers_at_chance,
    "input-drift": input_drift,
    "range-drift": range_drift,
}
"""Cause → what finds it in the data."""


def check_data(evidence: DataEvidence) -> tuple[Finding, ...]:
    """All findings about the samples, the most severe first; none on sound data."""
    found = []
    for cause, check in CHECKS.items():
        remark = check(evidence)
        if remark is not None:
            severity = round(float(remark.severity), 4)
            found.append(Finding(cause, "data", remark.where, remark.what, remark.fix, severity))
    return tuple(sorted(found, key=lambda finding: (-finding.severity, finding.cause)))


def data_meaning(cause: str) -> str:
    """The first sentence of a check's documentation; empty for a cause that is not of this table."""
    return (inspect.getdoc(CHECKS[cause]) or "").split("\n")[0] if cause in CHECKS else ""
