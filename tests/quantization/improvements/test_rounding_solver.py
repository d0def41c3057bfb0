from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfmobile.quantization.improvements.rounding_solver import Problem, descend, nearest, solve, successive


def problem(seed: int, groups: int = 2, size: int = 6, channels: int = 3) -> Problem:
    """Weights whose inputs rise and fall together."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(groups, size, size)) + 2 * generator.normal(size=(groups, size, 1))
    weights = generator.uniform(-10, 10, (groups, size, channels))
    hessian = mixed @ mixed.swapaxes(1, 2) + 0.1 * np.eye(size)
    solution = weights + generator.normal(0, 0.2, weights.shape)
    return Problem(hessian, weights, solution, np.floor(weights), np.ceil(weights))


@given(st.integers(0, 1000))
def test_the_error_is_never_above_that_of_rounding_to_the_nearest(seed: int) -> None:
    one = problem(seed)
    assert (one.error(solve(one)) <= one.error(nearest(one)) + 1e-9).all()


@given(st.integers(0, 1000))
def test_every_weight_is_a_whole_number_next_to_what_it_was(seed: int) -> None:
    one = problem(seed)
    found = solve(one)
    assert np.array_equal(found, np.rint(found))
    assert (np.abs(found - one.weights) < 1).all()


@given(st.integers(0, 1000))
def test_no_single_weight_can_be_moved_with_gain(seed: int) -> None:
    one = problem(seed)
    found = solve(one)
    for place in range(found.shape[1]):
        other = found.copy()
        other[:, place] = one.low[:, place] + one.high[:, place] - found[:, place]
        assert (one.error(other) >= one.error(found) - 1e-6).all()


def test_most_of_what_is_to_be_gained_is_gained() -> None:
    gained = possible = 0.0
    for seed in range(20):
        one = problem(seed, groups=1, channels=1)
        every = [
            np.where(np.array(up, bool)[None, :, None], one.high, one.low) for up in itertools.product((0, 1), repeat=6)
        ]
        best = min(float(one.error(tried).sum()) for tried in every)
        plain = float(one.error(nearest(one)).sum())
        gained += plain - float(one.error(solve(one)).sum())
        possible += plain - best
    assert gained > 0.8 * possible > 0


def test_independent_inputs_leave_nothing_to_gain() -> None:
    weights = np.random.default_rng(0).uniform(-10, 10, (1, 5, 4))
    one = Problem(np.eye(5)[None], weights, weights, np.floor(weights), np.ceil(weights))
    assert np.array_equal(solve(one), nearest(one))


def test_a_weight_that_must_stay_stays() -> None:
    one = problem(3)
    kept = np.rint(one.weights[:, 2])
    one.low[:, 2] = one.high[:, 2] = kept
    for found in (solve(one), successive(one), descend(one, nearest(one))):
        assert np.array_equal(found[:, 2], kept)
