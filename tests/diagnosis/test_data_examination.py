"""All checks of the data at once, on a network, its samples and its statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest

from tests.diagnosis.colored_digits import held_out, inputs, network, pictures
from tfmobile import runtime
from tfmobile.artifacts import Sample
from tfmobile.datasets import feed
from tfmobile.datasets.spec import Preprocessing
from tfmobile.datasets.stored import StoredSamples, split, store
from tfmobile.diagnosis.examination import Asked, Examination, examine
from tfmobile.quantization.statistics import measure_statistics

SIGNED = (127.5, 127.5)
RIGHT = Preprocessing(mean=(127.5,), std=(127.5,))


def stored(samples: Iterable[Sample], plan: Preprocessing) -> StoredSamples:
    wanted = inputs(*SIGNED)
    return store(
        (one.name, one.label if isinstance(one.label, int) else None, feed(one, plan, wanted)) for one in samples
    )


def looked_at(samples: list[Sample], plan: Preprocessing = RIGHT, other: list[Sample] | None = None) -> Examination:
    """Half of the samples, or ``other`` ones, are those to be judged."""
    with stored(samples, plan) as whole, stored(other or samples[:1], plan) as others:
        fitted, judged = split(whole, 0.4) if other is None else (whole, others)
        floating = network(*SIGNED)
        statistics = measure_statistics(floating, fitted)
        outputs = runtime.run(floating, [judged.feed(index) for index in range(len(judged))])
        asked = Asked(
            fitted,
            judged,
            inputs(*SIGNED),
            apart=other is not None,
            stored=samples[:48],
            preprocessing=plan,
            copies_removed=whole.duplicates,
        )
        return examine(floating, asked, statistics, outputs)


def test_sound_data_raise_nothing() -> None:
    found = looked_at(held_out(200))
    assert found.findings == ()
    assert len(found.scalings) > 10


def test_sound_data_of_two_sets_raise_nothing() -> None:
    samples = held_out(300)
    unlabelled = [dataclasses.replace(sample, label=None) for sample in samples[:150]]
    assert looked_at(unlabelled, other=samples[150:]).findings == ()


def test_a_wrong_scaling_is_the_only_thing_said() -> None:
    """The model says the same to everything then: what that means for classes and labels is not held against them."""
    findings = looked_at(held_out(200), Preprocessing()).findings
    assert [one.cause for one in findings] == ["preprocessing-mismatch"]


def test_a_scaling_that_is_applied_twice_is_said_once() -> None:
    scaled = [
        dataclasses.replace(one, values=(one.values[0].astype(np.float32) / 127.5 - 1,))
        for one in held_out(200)
        if isinstance(one.values, tuple)
    ]
    findings = looked_at(scaled).findings
    assert [one.cause for one in findings] == ["preprocessing-mismatch"]
    assert findings[0].fix.startswith("Leave --mean 127.5 --std 127.5 out.")


def test_many_faults_at_once_are_all_named() -> None:
    x, y = pictures()
    samples = [Sample(f"{i}.png", (x[i],), int(y[i]) + 1) for i in range(700, 860) if y[i] < 5]
    samples += samples[:8]
    broken = np.full((14, 14, 3), 120, np.uint8)
    samples.append(Sample("empty.png", (broken,), 3))
    causes = {one.cause for one in looked_at(samples).findings}
    assert causes >= {"repeated-samples", "label-offset", "class-coverage"}


@pytest.mark.parametrize("shift", [70, -70])
def test_darker_and_brighter_pictures_are_another_kind_of_data(shift: int) -> None:
    samples = held_out(300)
    moved = [
        dataclasses.replace(one, values=(np.clip(one.values[0].astype(int) + shift, 0, 255).astype(np.uint8),))
        for one in samples[150:]
        if isinstance(one.values, tuple)
    ]
    causes = [one.cause for one in looked_at(samples[:150], other=moved).findings]
    assert "input-drift" in causes
