"""Whether a loss is within what is allowed: intervals, looks at growing parts, and what the data can show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmobile.search.decision import conclude, decide, looks, loss_interval


def paired(lost: int, won: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses and what the reference had, shuffled."""
    values = np.repeat([1.0, -1.0, 0.0, 0.0], [lost, won, both, neither])
    before = np.repeat([True, False, True, False], [lost, won, both, neither])
    order = np.random.default_rng(0).permutation(len(values))
    return values[order], before[order]


def test_looks_double_and_end_with_all() -> None:
    assert looks(60) == (60,)
    assert looks(500) == (128, 256, 500)
    assert looks(2048) == (128, 256, 512, 1024, 2048)


def test_a_loss_within_the_estimate_is_accepted_and_says_that_it_is_not_proven() -> None:
    values, before = paired(lost=12, won=10, both=300, neither=178)
    assert decide(values, before, "paired", 0.005, 500) == "within"
    loss = conclude("top-1", values, before, "paired", 0.005, 500)
    assert loss.value.value == pytest.approx(0.004)
    assert loss.bound > 0.005
    assert loss.needed is not None
    assert loss.needed > 500


def test_a_clear_margin_is_shown() -> None:
    values, before = paired(lost=5, won=5, both=3000, neither=990)
    loss = conclude("top-1", values, before, "paired", 0.01, 4000)
    assert loss.bound <= 0.01
    assert loss.needed is None


def test_a_broken_candidate_ends_at_the_first_look() -> None:
    values, before = paired(lost=60, won=3, both=30, neither=35)
    assert decide(values, before, "paired", 0.01, 50_000) == "beyond"


def test_a_doubtful_candidate_goes_on_until_all_samples_were_seen() -> None:
    values, before = paired(lost=3, won=1, both=80, neither=44)
    assert decide(values, before, "paired", 0.01, 50_000) == "open"
    assert decide(values, before, "paired", 0.01, 128) == "beyond"


def test_early_acceptance_needs_many_samples() -> None:
    few, many = np.zeros(512), np.zeros(1024)
    assert decide(few, few, "fraction", 0.02, 50_000) == "open"
    assert decide(many, many, "fraction", 0.02, 50_000) == "within"


def test_where_nothing_was_lost_the_bound_is_not_zero() -> None:
    zeros = np.zeros(60)
    loss = conclude("expected top-1", zeros, zeros, "bounded", 0.01, 60)
    assert loss.bound == pytest.approx(1 - 0.05 ** (1 / 60))
    assert loss.needed == math.ceil(math.log(0.05) / math.log(0.99))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.sampled_from(["bounded", "free"]))
def test_the_interval_holds_its_estimate_and_samples_have_no_order(values: list[float], kind: str) -> None:
    array = np.array(values)
    found = loss_interval(array, array, kind)  # type: ignore[arg-type]
    assert found.low - 1e-12 <= found.value <= found.high + 1e-12
    again = loss_interval(array[::-1], array, kind)  # type: ignore[arg-type]
    assert again.value == pytest.approx(found.value)


def test_a_true_loss_at_the_limit_is_rarely_called_beyond_at_an_early_look() -> None:
    random = np.random.default_rng(4)
    early = 0
    for _ in range(300):
        values = (random.random(512) < 0.02).astype(float)
        decided = [decide(values[:count], values, "fraction", 0.02, 4096) for count in (128, 256, 512)]
        early += "beyond" in decided
    assert early / 300 <= 0.05
