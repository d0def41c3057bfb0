"""Closer to the float model, or not: decided by outputs alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmobile.graph.model import Array
from tfmobile.quantization.fidelity import fidelity, helps

Outputs = list[dict[str, Array]]


def logits(count: int, classes: int = 10, seed: int = 0) -> Outputs:
    generator = np.random.default_rng(seed)
    return [{"y": generator.normal(0, 3, (1, classes)).astype(np.float32)} for _ in range(count)]


def softmax(outputs: Outputs) -> Outputs:
    powers = [np.exp(one["y"] - one["y"].max()) for one in outputs]
    return [{"y": power / power.sum()} for power in powers]


def disturbed(outputs: Outputs, size: float, seed: int = 1) -> Outputs:
    """The same with noise of that standard deviation, different for every sample."""
    generator = np.random.default_rng(seed)
    return [{key: array + generator.normal(0, size, array.shape) for key, array in one.items()} for one in outputs]


def test_probabilities_have_divergence_agreement_and_noise() -> None:
    wanted = softmax(logits(50))
    found = fidelity(wanted, softmax(disturbed(logits(50), 0.3)))
    assert found.samples == 50
    assert found.kl is not None
    assert 0.001 < found.kl < 0.1
    assert found.agreement is not None
    assert 0.8 < found.agreement < 1
    assert 10 < found.sqnr_db < 30


def test_what_int8_cannot_tell_from_0_is_no_divergence() -> None:
    tail = np.full(999, 0.2 / 999)
    wanted = np.concatenate([[0.8], tail])[None]
    coarse = np.concatenate([[0.8], np.zeros(999)])[None]
    other = np.concatenate([[0.6], np.zeros(999)])[None]
    assert fidelity([{"y": wanted}], [{"y": coarse}]).kl == pytest.approx(0)
    assert (fidelity([{"y": wanted}], [{"y": other}]).kl or 0) > 0.05


def test_the_divergence_is_that_of_the_textbook_when_no_probability_is_tiny() -> None:
    one, two = np.array([[0.25, 0.75]]), np.array([[0.5, 0.5]])
    textbook = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert fidelity([{"y": one}], [{"y": two}]).kl == pytest.approx(textbook, rel=2e-3)


def test_probabilities_rounded_to_zero_have_a_finite_divergence() -> None:
    one, two = np.array([[0.998, 0.001, 0.001]]), np.array([[1.0, 0.0, 0.0]])
    assert 0 < (fidelity([{"y": one}], [{"y": two}]).kl or 0) < 0.01


def test_logits_have_agreement_and_no_divergence() -> None:
    found = fidelity(logits(20), disturbed(logits(20), 0.01))
    assert (found.kl, found.agreement) == (None, 1.0)


def test_a_picture_and_a_single_number_have_only_noise() -> None:
    for shape in ((1, 8, 8, 3), (1, 1), (1,)):
        wanted = [{"y": np.full(shape, value)} for value in (1.0, 2.0)]
        found = fidelity(wanted, disturbed(wanted, 0.1))
        assert (found.kl, found.agreement) == (None, None)
        assert 10 < found.sqnr_db < 50


def test_probabilities_at_every_place_of_a_picture_agree_by_place() -> None:
    wanted = np.zeros((1, 2, 2, 3))
    wanted[..., 0] = 1
    found = wanted.copy()
    found[0, 0, 0] = (0, 1, 0)
    assert fidelity([{"mask": wanted}], [{"mask": found}]).agreement == 0.75


def test_outputs_of_unlike_scale_count_alike() -> None:
    wanted = [{"big": 1000 * one["y"], "small": two["y"]} for one, two in zip(logits(20), logits(20, seed=5))]  # noqa: B905
    noise = disturbed(logits(20), 1.0)
    big = [
        {**one, "big": one["big"] + 1000 * (two["y"] - base["y"])}
        for one, two, base in zip(wanted, noise, logits(20), strict=True)
    ]
    small = [
        {**one, "small": one["small"] + (two["y"] - base["y"])}
        for one, two, base in zip(wanted, noise, logits(20), strict=True)
    ]
    assert fidelity(wanted, big).sqnr_db == pytest.approx(fidelity(wanted, small).sqnr_db, abs=0.5)


def test_the_same_outputs_are_exact_and_do_not_help() -> None:
    wanted = softmax(logits(30))
    found = fidelity(wanted, wanted)
    assert (found.kl, found.agreement, found.sqnr_db) == (0.0, 1.0, math.inf)
    same = softmax(disturbed(logits(30), 0.5))
    assert not helps(same, same, wanted)[0]


def test_labels_are_counted_where_they_are_known() -> None:
    wanted = [{"y": np.eye(3)[[n]]} for n in (0, 1, 2)]
    found = fidelity(wanted, [{"y": np.eye(3)[[0]]}] * 3, [0, None, 2])
    assert (found.correct, found.reference_correct) == (1, 2)
    assert fidelity(wanted, wanted).correct is None


@pytest.mark.parametrize("kind", [softmax, lambda outputs: outputs], ids=["probabilities", "logits"])
def test_less_noise_helps_and_more_does_not(kind: Callable[[Outputs], Outputs]) -> None:
    wanted, far, near = (kind(one) for one in (logits(60), disturbed(logits(60), 1), disturbed(logits(60), 0.4, 2)))
    better, why = helps(far, near, wanted)
    assert better
    assert "agreement" in why
    assert "60 samples" in why
    assert not helps(near, far, wanted)[0]


def test_equal_noise_is_rarely_taken_for_a_gain() -> None:
    wanted = logits(50)
    taken = [helps(disturbed(wanted, 0.5, 2 * n), disturbed(wanted, 0.5, 2 * n + 1), wanted)[0] for n in range(100)]
    assert sum(taken) < 25


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_samples_must_agree_more(count: int) -> None:
    wanted = logits(count)
    taken = [helps(disturbed(wanted, 0.5, 2 * n), disturbed(wanted, 0.5, 2 * n + 1), wanted)[0] for n in range(100)]
    assert sum(taken) <= 15


def test_one_sample_never_tells() -> None:
    assert helps(disturbed(logits(1), 5), logits(1), logits(1))[1].startswith("One sample is too few")


def test_lost_agreement_refuses_a_gain_in_noise() -> None:
    wanted = [{"y": np.array([[1.0, 0.9, 9.0 if n % 2 else -9.0]])} for n in range(40)]
    before = [{"y": one["y"] + np.array([[0.5, 0.5, 0.5]])} for one in wanted]
    after = [{"y": one["y"] + np.array([[0.0, 0.2, 0.0]])} for one in wanted]
    better, why = helps(before, after, wanted)
    assert not better
    assert "20 lost, 0 won" in why


def test_labels_refuse_what_loses_right_answers() -> None:
    wanted = [{"y": np.array([[0.9, 0.1]])} for _ in range(20)]
    before = [{"y": np.array([[0.2, 0.8]])} for _ in range(20)]
    after = [{"y": np.array([[0.8, 0.2]])} for _ in range(20)]
    assert helps(before, after, wanted)[0]
    better, why = helps(before, after, wanted, [1] * 20)
    assert not better
    assert why.startswith("Fewer right answers (20 lost, 0 won)")


def test_nan_never_helps_and_getting_rid_of_it_does() -> None:
    wanted = softmax(logits(10))
    broken = [{"y": np.full((1, 10), np.nan)} for _ in range(10)]
    assert not helps(wanted, broken, wanted)[0]
    assert helps(broken, wanted, wanted)[0]
    assert fidelity(wanted, broken).sqnr_db == -math.inf


def test_answers_of_other_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="3 answers"):
        fidelity(logits(4), logits(3))


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 40), st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_the_two_directions_never_both_help(count: int, seed: int, one: float, two: float, probable: bool) -> None:
    wanted = logits(count, seed=seed)
    sides = [disturbed(wanted, one, seed + 1), disturbed(wanted, two, seed + 2)]
    before, after, wanted = (softmax(side) if probable else side for side in (*sides, wanted))
    assert not (helps(before, after, wanted)[0] and helps(after, before, wanted)[0])


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_samples_does_not_matter(random: object, probable: bool) -> None:
    wanted = logits(25)
    sides = [disturbed(wanted, 0.6), disturbed(wanted, 0.5, 2)]
    before, after, wanted = (softmax(side) if probable else side for side in (*sides, wanted))
    labels = [n % 10 for n in range(25)]
    order = list(range(25))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = [[side[place] for place in order] for side in (before, after, wanted)]
    assert helps(*mixed, [labels[place] for place in order]) == helps(before, after, wanted, labels)
    assert fidelity(mixed[2], mixed[1]) == fidelity(wanted, after)
