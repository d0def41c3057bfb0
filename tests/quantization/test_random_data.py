from __future__ import annotations

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.quantization import random_feeds

INPUTS = (TensorFact("image", (-1, 4, 4, 3), "float32"), TensorFact("ids", (1, 5), "int32"))


def test_the_same_seed_gives_the_same_samples() -> None:
    first, again = (list(random_feeds(INPUTS, 3, 0)) for _ in range(2))
    for (name, feed), (other_name, other) in zip(first, again, strict=True):
        assert name == other_name
        assert all(np.array_equal(feed[key], other[key]) for key in feed)
    assert len({name for name, _ in first}) == 3


def test_samples_have_the_shapes_and_types_of_the_inputs() -> None:
    _, feed = next(random_feeds(INPUTS, 1, 0))
    assert feed["image"].shape == (1, 4, 4, 3)
    assert feed["image"].dtype == np.float32
    assert feed["ids"].dtype == np.int32


def test_different_seeds_give_different_samples() -> None:
    (_, first), (_, second) = (next(random_feeds(INPUTS, 1, seed)) for seed in (0, 1))
    assert not np.array_equal(first["image"], second["image"])
