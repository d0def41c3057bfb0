"""Calibration samples of one run, preprocessed once and kept on disk: some to fit on, others held back to judge."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.datasets.stored import StoredSamples, open_stored, split, store
from tfmobile.quantization.sample_checks import SampleChecks
from tfmobile.quantization.sample_screening import screen_inputs
from tfmobile.steps.context import Context, Fed, data_key, feeds_at
from tfmobile.workspace import Product, digest

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
        self._read: StoredSamples | None = None
        self.key = digest({"samples": data_key(context.plan, path), "inputs": [str(fact) for fact in inputs]})

    def __enter__(self) -> CalibrationSamples:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The stored samples stay for a run that goes on after this one; the workspace drops them when all is done."""

    @functools.cached_property
    def _stored(self) -> StoredSamples:
        """Once they were read and checked, a folder that an earlier reader left is as good as the source."""
        folder = self._context.workspace.scratch("samples", self.key)
        self._facts  # noqa: B018  (the step reads and checks them)
        return self._read or open_stored(folder) or self._store()

    def _store(self) -> StoredSamples:
        return store(self._feeds(), self._context.workspace.scratch("samples", self.key))

    @functools.cached_property
    def _parts(self) -> tuple[StoredSamples, StoredSamples]:
        return _divided(self._stored, self._facts["odd"])

    @property
    def fit(self) -> StoredSamples:
        return self._parts[0]

    @property
    def held(self) -> StoredSamples:
        return self._parts[1]

    @functools.cached_property
    def _facts(self) -> Mapping[str, Any]:
        """Known from the workspace when an earlier run has read the samples."""

        def compute() -> Product:
            self._read = stored = self._store()
            screened = screen_inputs(stored)
            odd = np.flatnonzero(~screened.kept).tolist()
            fit, held = _divided(stored, odd)
            copies = [f"{stored.duplicates} calibration samples are copies of others and were left out."]
            return {}, {
                "samples": len(stored),
                "fit": len(fit),
                "held_back": len(held),
                "odd": odd,
                "set_aside": list(screened.set_aside),
                "notes": [
                    *(copies if stored.duplicates else ()),
                    *self._checks.notes(len(stored)),
                    *screened.notes,
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

    def _feeds(self) -> Iterator[Fed]:
        total, feeds = feeds_at(self._context.plan, self.source, self._inputs)
        count = 0
        for count, (name, label, feed) in enumerate(feeds, 1):
            self._checks.see(name, feed)
            self._context.progress("samples", count, total)
            yield name, label, feed
        self._checks.finish(count)


def _divided(stored: StoredSamples, odd: Sequence[int]) -> tuple[StoredSamples, StoredSamples]:
    """To fit on and held back; an odd sample must neither be fitted on nor judge."""
    left_out = set(odd)
    fit, held = split(stored.subset(place for place in range(len(stored)) if place not in left_out))
    return fit, held.subset(range(min(len(held), HELD_BACK_MOST)))
