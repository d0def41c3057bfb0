"""Run a float model on samples and look at every tensor. In the child process only."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tfmobile.errors import DataError, TfmobileError, VerificationError
from tfmobile.graph.model import Array
from tfmobile.quantization.tallies import (
    ExtremesTally,
    HistogramTally,
    RangeTally,
    Tally,
    Tallying,
    joined,
)
from tfmobile.quantization.tensor_keys import (
    Ranges,
    calibration_wrapper,
    get_ranges,
    merge,
    range_keys,
    with_intermediates,
)
from tfmobile.runtime import flatbuffer, open_interpreter
from tfmobile.runtime.interpreter import Interpreter


class Observer(Protocol):
    """``see`` a sample; ``ranges`` (``arrays``, ``tallies``) wait for all seen so far.

    All raise what went wrong with a sample.
    """

    def see(self, name: str, feed: Mapping[str, Array]) -> None: ...

    def ranges(self) -> Ranges: ...


def open_observer(content: bytes, threads: int, inner: bool) -> Observer:
    """Inner sees all of a model, also what is ``hidden``; outer sees its main graph and is ten times as fast."""
    return InnerObserver(with_intermediates(content)) if inner else RangeObserver(content, threads)


class OuterObserver:
    """Makes every tensor an output of the model, so that the fast kernels (XNNPACK) can be used; one model a thread.

    ``make`` gives the tally of a thread, which sees the tensors ``keys`` (index → calibration key) of all its samples.
    """

    def __init__(self, content: bytes, threads: int, make: Tallying) -> None:
        model = flatbuffer.read(content)
        self.keys = main_keys(model)
        computed = {int(i) for op in model.subgraphs[0].operators for i in op.outputs} & set(self.keys)
        own = [int(index) for index in model.subgraphs[0].outputs]
        model.subgraphs[0].outputs = np.array([*own, *sorted(computed - set(own))], np.int32)
        opened = flatbuffer.write(model)
        self._samples: queue.Queue[tuple[int, str, Mapping[str, Array]]] = queue.Queue(maxsize=2 * threads)
        self._seen = 0
        self._failures: list[TfmobileError] = []
        self._tallies: list[Tally] = []
        for _ in range(threads):
            self._tallies.append(make())
            target, arguments = self._work, (_open(opened), self._tallies[-1])
            threading.Thread(target=target, args=arguments, daemon=True).start()

    def see(self, name: str, feed: Mapping[str, Array]) -> None:
        """Hand over a sample; samples are numbered from 0."""
        self._raise()
        self._samples.put((self._seen, name, feed))
        self._seen += 1

    def tallies(self) -> list[Tally]:
        """Those of all threads, when all samples so far are seen."""
        self._samples.join()
        self._raise()
        return self._tallies

    def _raise(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _work(self, interpreter: Interpreter, tally: Tally) -> None:
        while True:
            number, name, feed = self._samples.get()
            try:
                if not self._failures:
                    self._observe(interpreter, tally, number, name, feed)
            except TfmobileError as error:
                self._failures.append(error)
            finally:
                self._samples.task_done()

    def _observe(
        self, interpreter: Interpreter, tally: Tally, number: int, name: str, feed: Mapping[str, Array]
    ) -> None:
        run(interpreter, name, feed)
        for index, key in self.keys.items():
            # The value is a view into the model's memory, which must be gone before the next invoke.
            try:
                tally.add(number, index, interpreter.raw.tensor(index)())
            except FloatingPointError:
                raise not_finite(f"Sample '{name}'", key) from None


class RangeObserver(OuterObserver):
    """Keeps the smallest and largest value of each tensor."""

    def __init__(self, content: bytes, threads: int) -> None:
        super().__init__(content, threads, RangeTally)

    def ranges(self) -> Ranges:
        merged: Ranges = {}
        for tally in self.tallies():
            assert isinstance(tally, RangeTally)
            merge(merged, {self.keys[i]: (float(low), float(high)) for i, (low, high) in tally.found.items()})
        return merged


class ExtremesObserver(OuterObserver):
    """Keeps the smallest and largest value of each tensor in each sample."""

    def __init__(self, content: bytes, threads: int) -> None:
        super().__init__(content, threads, ExtremesTally)

    def arrays(self) -> dict[str, Array]:
        """``lows`` and ``highs`` [tensors, samples] float32; tensors in the order of ``main_keys``."""
        found: dict[tuple[int, int], tuple[np.float32, np.float32]] = {}
        for tally in self.tallies():
            assert isinstance(tally, ExtremesTally)
            found.update(tally.found)
        table = [[found[number, index] for number in range(self._seen)] for index in self.keys]
        values = np.array(table, np.float32).reshape(len(self.keys), self._seen, 2)
        return {"lows": values[:, :, 0], "highs": values[:, :, 1]}


class HistogramObserver(OuterObserver):
    """Keeps histograms, and extremes and means of channels. ``edges`` [tensors, 2] as in ``main_keys``."""

    def __init__(self, content: bytes, threads: int, edges: Array, samples: int) -> None:
        by_tensor = {
            index: (float(low), float(high))
            for index, (low, high) in zip(main_keys(flatbuffer.read(content)), edges, strict=True)
        }
        super().__init__(content, threads, lambda: HistogramTally(by_tensor, samples))

    def arrays(self) -> dict[str, Array]:
        """``counts`` [tensors, bins + 2] int64; by tensor's place ``3/lows``, ``3/highs``, ``3/sums`` [channels]."""
        tallies = [tally for tally in self.tallies() if isinstance(tally, HistogramTally) and not tally.empty]
        counts = [np.sum([tally.counts(index) for tally in tallies], axis=0) for index in self.keys]
        found: dict[str, Array] = {"counts": np.array(counts, np.int64)}
        for place, index in enumerate(self.keys):
            channels = joined([tally.channels(index) for tally in tallies])
            if channels is not None:
                found.update(zip((f"{place}/lows", f"{place}/highs", f"{place}/sums"), channels, strict=True))
        return found


class InnerObserver:
    """The runtime's own calibrator: sees every kernel run, also inside loops, branches and fused cells."""

    def __init__(self, content: bytes) -> None:
        # The interpreter only checks the samples: the calibrator answers a wrong shape with a bare error.
        self._check = _open(content)
        self._content = content  # the calibrator points into these bytes and does not keep them alive
        self._calibrator = calibration_wrapper().CalibrationWrapper(content, [], [])
        self._calibrator.Prepare()

    def see(self, name: str, feed: Mapping[str, Array]) -> None:
        named(name, self._check.set_inputs, feed)
        facts = self._check.inputs
        arrays = [np.asarray(feed[key]).astype(facts[key].dtype, copy=False) for key in facts]
        try:
            self._calibrator.FeedTensor(arrays)
        except (RuntimeError, ValueError) as cause:
            raise VerificationError(
                f"The model does not run on sample '{name}'.",
                why=" ".join(str(cause).split())[:400],
                fixes=["Run it alone to see whether the model or the sample is wrong: tfmobile benchmark MODEL"],
            ) from cause

    def ranges(self) -> Ranges:
        found = get_ranges(flatbuffer.read(bytes(self._calibrator.Calibrate())))
        for key, bounds in found.items():
            if not np.isfinite(bounds).all():
                raise not_finite("A sample", key)
        return found


def main_keys(model: Any) -> dict[int, str]:
    """Index → calibration key of the float tensors of the main graph, in the order of ``range_keys``."""
    return {place[1]: key for place, key in range_keys(model).items() if place[0] == 0}


def run(interpreter: Interpreter, name: str, feed: Mapping[str, Array]) -> None:
    """Invoke the model on a sample; errors name the sample."""
    named(name, interpreter.set_inputs, feed)
    interpreter.invoke()


def named(name: str, call: Any, feed: Mapping[str, Array]) -> None:
    """``call(feed)``, with the sample named in its DataError."""
    try:
        call(feed)
    except DataError as error:
        raise DataError(f"Calibration sample '{name}': {error.what}", why=error.why, fixes=error.fixes) from error


def not_finite(who: str, key: str) -> DataError:
    """The error for a sample that makes the model compute NaN or infinity."""
    return DataError(
        f"{who} makes the model compute NaN or infinity.",
        why=f"First seen in tensor '{key}'. No range covers it, and the runtime may crash on the result.",
        fixes=[
            "Check the preprocessing (--mean, --std) against the one the model was trained with.",
            "Remove the sample from the calibration data.",
        ],
    )


def _open(content: bytes) -> Interpreter:
    try:
        return open_interpreter(content, threads=1, xnnpack=True)
    except VerificationError:
        return open_interpreter(content, threads=1, xnnpack=False)
