"""Artifacts survive a round trip through JSON."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from tfmobile.artifacts import Calibration, Comparison, Evaluation, Interval, LatencyRow, ModelAccuracy
from tfmobile.codec import decode, encode, finite
from tfmobile.graph.model import TensorRef, TensorSpec

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), st.tuples(NUMBERS, NUMBERS)), st.integers(0, 1000))
def test_a_calibration_survives_json(ranges: dict[str, tuple[float, float]], samples: int) -> None:
    calibration = Calibration(ranges, samples, "folder")
    assert decode(Calibration, json.loads(json.dumps(encode(calibration)))) == calibration


def test_nested_dataclasses_tuples_and_none_survive() -> None:
    half = Interval(0.5, 0.4, 0.6)
    comparison = Comparison("a", "b", 10, half, None, None, 1, 2, 0.5, None, 0.9, 1.0, 3)
    accuracy = ModelAccuracy("a", top1=half, confusion=((1, 2), (3, 4)))
    evaluation = Evaluation("classification", 10, True, (accuracy,), (comparison,), class_names=("x", "y"))
    assert decode(Evaluation, json.loads(json.dumps(encode(evaluation)))) == evaluation


def test_a_tensor_spec_with_dynamic_dimensions_survives() -> None:
    spec = TensorSpec("x", TensorRef("in", 1), "float32", (None, 3))
    assert decode(TensorSpec, json.loads(json.dumps(encode(spec)))) == spec


def test_times_survive() -> None:
    row = LatencyRow("a", "tflite", 1, True, 3, 1, 1.0, 2.0, 3.0, 1.5, Interval(1, 1, 1), 5.0, 10, 5, True, (1.0, 2.0))
    assert decode(LatencyRow, json.loads(json.dumps(encode(row)))) == row


def test_json_has_no_words_for_nan() -> None:
    assert finite({"a": [math.nan, 1.0, math.inf]}) == {"a": [None, 1.0, None]}
