"""What every step needs: the plan, the workspace, and where to tell progress and notes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tfmobile.artifacts import SourceModel, TensorFact
from tfmobile.fingerprint import of_code, of_data, versions
from tfmobile.graph.model import Array
from tfmobile.plan import Plan
from tfmobile.progress import Progress
from tfmobile.workspace import Product, Step, Workspace

VERIFY_SAMPLES = 4
"""How many samples each rewrite and conversion is verified on."""
RANDOM_SAMPLES = 100
Fed: TypeAlias = tuple[str, "int | None", dict[str, Array]]
"""A sample: its name, its class where it has one, and its arrays by input key."""


@dataclass
class Context:
    """One run. ``notes`` collects what the user has to know: guesses, what was not done, what was not measured.

    ``plan`` is what the steps go by; ``asked``, where it differs, what the user asked for.
    """

    plan: Plan
    workspace: Workspace
    progress: Progress
    trust: bool = False
    notes: list[str] = field(default_factory=list)
    asked: Plan | None = None

    def step(
        self, name: str, options: Mapping[str, Any], compute: Callable[[], Product], *, cache: bool = True
    ) -> Step:
        """A workspace step that also depends on what computes: versions, and this package's own code."""
        self.progress(name, 0, None)
        computed_by = {"versions": dict(versions()), "code": of_code()}
        return self.workspace.step(name, {**options, **computed_by}, compute, cache=cache)

    def note(self, *sentences: str) -> None:
        self.notes.extend(sentence for sentence in sentences if sentence not in self.notes)


def data_key(plan: Plan, path: str | None) -> Mapping[str, Any]:
    """What identifies the samples at ``path`` as this plan reads them."""
    from tfmobile.codec import encode

    if path is None or path == "random":
        return {"data": path}
    labels = plan.data.labels
    return {
        "data": path,
        "content": of_data(path),
        "labels": of_data(labels) if labels and Path(labels).exists() else labels,
        "spec": encode(plan.data_spec(path)),
    }


def input_facts(source: SourceModel) -> tuple[TensorFact, ...]:
    """The model's inputs, by key, with fixed shapes."""
    if source.graph is None:
        from tfmobile.runtime import describe

        assert source.tflite is not None
        return describe(source.tflite).inputs
    return tuple(
        TensorFact(spec.key, tuple(dim or 1 for dim in spec.shape or ()), spec.dtype) for spec in source.graph.inputs
    )


def some_feeds(plan: Plan, path: str | None, inputs: tuple[TensorFact, ...], count: int) -> list[dict[str, Array]]:
    """The first ``count`` preprocessed samples at ``path``; none without data."""
    if path is None or path == "random":
        return []
    _, feeds = feeds_at(plan, path, inputs)
    return [feed for _, _, feed in itertools.islice(feeds, count)]


def feeds_at(
    plan: Plan, path: str, inputs: tuple[TensorFact, ...], *, most: int | None = None
) -> tuple[int, Iterator[Fed]]:
    """How many samples there are at ``path``, and each of them preprocessed; ``most``: so many, evenly spread.

    At ``random`` there are seeded random numbers, RANDOM_SAMPLES or ``most``.
    """
    from tfmobile.datasets import feed, open_dataset
    from tfmobile.quantization import random_feeds

    if path == "random":
        count = most or RANDOM_SAMPLES
        return count, ((name, None, values) for name, values in random_feeds(inputs, count, 0))
    spec = plan.data_spec(path)
    if most is not None:
        spec = dataclasses.replace(spec, limit=min(most, plan.data.limit or most))
    dataset = open_dataset(spec)
    return len(dataset), (
        (
            sample.name,
            sample.label if isinstance(sample.label, int) else None,
            feed(sample, plan.preprocessing, inputs),
        )
        for _, sample in dataset.iterate()
    )
