"""Calibration samples of one run, preprocessed once and kept on disk: some to fit on, others held back to judge."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.datasets.stored import StoredSamples, split, store
from tfmobile.graph.model import Array
from tfmobile.quantization.sample_checks import SampleChecks
from tfmobile.quantization.sample_screening import Screening, screen_inputs
from tfmobile.steps.context import Context, data_key
from tfmobile.workspace import Product, digest

RANDOM_SAMPLES = 100
HELD_BACK_MOST = 128
"""More samples would judge little better, and take longer than the improvements themselves."""


class CalibrationSamples:
    """A context. Nothing is read before ``fit`` or ``held`` is asked for: a run that reuses all its steps is quick."""

    def __init__(self, context: Context, inputs: tuple[TensorFact, ...]) -> None:
        path = context.plan.calibration_path
        assert path is not None, "a recipe that is calibrated was checked to have data"
        self._context, self._inputs, self.source = context, inputs, path
        self.random = path == "random"
        self._checks = SampleChecks()
        self.key = digest({"samples": data_key(context.plan, path), "inputs": [str(fact) for fact in inputs]})

    def __enter__(self) -> CalibrationSamples:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The stored samples stay for a run that goes on after this one; the workspace drops them when all is done."""

    @functools.cached_property
    def _stored(self) -> StoredSamples:
        return store(self._feeds(), self._context.workspace.scratch("samples", self.key))

    @functools.cached_property
    def _screened(self) -> Screening:
        """Before the split: an odd sample must neither be fitted on nor judge."""
        return screen_inputs(self._stored)

    @functools.cached_property
    def _parts(self) -> tuple[StoredSamples, StoredSamples]:
        return split(self._stored.subset(np.flatnonzero(self._screened.kept).tolist()))

    @property
    def fit(self) -> StoredSamples:
        return self._parts[0]

    @functools.cached_property
    def held(self) -> StoredSamples:
        held = self._parts[1]
        return held.subset(range(min(len(held), HELD_BACK_MOST)))

    @functools.cached_property
    def _facts(self) -> Mapping[str, Any]:
        """Known from the workspace when an earlier run has read the samples."""

        def compute() -> Product:
            notes = [f"{self._stored.duplicates} calibration samples are copies of others and were left out."]
            return {}, {
                "samples": len(self._stored),
                "fit": len(self.fit),
                "held_back": len(self.held),
                "set_aside": list(self._screened.set_aside),
                "notes": [
                    *(notes if self._stored.duplicates else ()),
                    *self._checks.notes(len(self._stored)),
                    *self._screened.notes,
                ],
            }

        return self._context.step("samples", {"key": self.key}, compute).facts

    @property
    def fit_count(self) -> int:
        return int(self._facts["fit"])

    @property
    def held_count(self) -> int:
        return int(self._facts["held_back"])

    @property
    def copies(self) -> int:
        """How many samples were left out because another one has exactly the same values."""
        return self._stored.duplicates

    @property
    def set_aside(self) -> tuple[str, ...]:
        """A sentence for each sample that is used for nothing."""
        return tuple(self._facts["set_aside"])

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._facts["notes"])

    def _feeds(self) -> Iterator[tuple[str, int | None, Mapping[str, Array]]]:
        total, feeds = self._source_feeds()
        count = 0
        for count, (name, label, feed) in enumerate(feeds, 1):
            self._checks.see(name, feed)
            self._context.progress("samples", count, total)
            yield name, label, feed
        self._checks.finish(count)

    def _source_feeds(self) -> tuple[int, Iterator[tuple[str, int | None, Mapping[str, Array]]]]:
        from tfmobile.datasets import feed, open_dataset
        from tfmobile.quantization import random_feeds

        if self.random:
            made = random_feeds(self._inputs, RANDOM_SAMPLES, 0)
            return RANDOM_SAMPLES, ((name, None, values) for name, values in made)
        plan = self._context.plan
        dataset = open_dataset(plan.data_spec(self.source))
        return len(dataset), (
            (sample.name, _class(sample.label), feed(sample, plan.preprocessing, self._inputs))
            for _, sample in dataset.iterate()
        )


def _class(label: object) -> int | None:
    return label if isinstance(label, int) else None
