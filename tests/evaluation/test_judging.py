"""From outputs to numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfmobile.evaluation import judging


@given(arrays(np.float32, st.integers(1, 90), elements=st.integers(0, 6).map(float)), st.data())
def test_ranks_and_top_classes_agree_with_a_stable_sort(scores: np.ndarray, data: st.DataObject) -> None:
    order = np.argsort(-scores, kind="stable")
    assert judging.top_classes(scores) == tuple(order[:5])
    label = data.draw(st.integers(0, len(scores) - 1))
    assert judging.rank_of(scores, label) == int(np.flatnonzero(order == label)[0])


def test_scores_that_are_nan_have_no_answer_and_are_never_right() -> None:
    scores = np.array([0.1, np.nan, 0.9])
    assert judging.top_classes(scores) == (-1,)
    assert judging.rank_of(scores, 2) == 3
    assert judging.confidence_of(scores, -1) == 0
    assert not judging.finite({"y": scores})
    assert judging.finite({"y": np.array([1, 2])})


def test_confidence_is_the_probability_or_the_softmax() -> None:
    assert judging.confidence_of(np.array([0.2, 0.8]), 1) == 0.8
    logits = np.array([-2.0, 3.0])
    assert judging.confidence_of(logits, 1) == pytest.approx(1 / (1 + math.exp(-5)))
    assert judging.confidence_of(np.array([1000.0, -1000.0]), 0) == 1


def test_outputs_are_compared_over_all_elements() -> None:
    reference = [np.array([[3.0, 4.0]]), np.array([0.0])]
    candidate = [np.array([[3.0, 3.0]]), np.array([0.5])]
    pair = judging.compare_outputs(reference, candidate)
    assert (pair.signal, pair.noise, pair.max_abs) == (25, 1.25, 1)
    assert pair.cosine == pytest.approx(21 / math.sqrt(25 * 18.25))
    assert judging.compare_outputs(reference, reference).cosine == pytest.approx(1)
    assert judging.compare_outputs([np.zeros(3)], [np.zeros(3)]).cosine == 1
    assert not judging.compare_outputs(reference, [np.array([[np.nan, 0.0]]), np.array([0.0])]).finite
