"""The distance between two models' outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfmobile.steps.difference import difference


def test_the_largest_difference_is_absolute_and_relative_to_the_largest_output() -> None:
    found = difference("b against a", [{"y": np.array([1.0, -4.0])}], [{"y": np.array([1.0, -3.0])}])
    assert (found.samples, found.max_abs, found.max_rel) == (1, 1.0, 0.25)
    assert found.snr_db == pytest.approx(10 * math.log10(17))


def test_equal_outputs_have_no_noise() -> None:
    found = difference("same", [{"y": np.ones(3)}], [{"y": np.ones(3)}])
    assert (found.max_abs, found.max_rel, found.snr_db) == (0.0, 0.0, None)


def test_a_nan_is_not_hidden() -> None:
    found = difference("nan", [{"y": np.ones(2)}], [{"y": np.array([1.0, np.nan])}])
    assert math.isnan(found.max_abs)
    assert math.isnan(found.max_rel)


def test_outputs_of_other_names_are_paired_by_position() -> None:
    found = difference("renamed", [{"a": np.zeros(2), "b": np.ones(2)}], [{"x": np.zeros(2), "y": np.ones(2)}])
    assert found.max_abs == 0.0
