"""Run a float model on samples and keep the smallest and largest value of every tensor. In the child process only.

Minimum and maximum do not depend on the order of the samples, nor on which thread sees which.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tfmobile.errors import DataError, TfmobileError, VerificationError
from tfmobile.graph.model import Array
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
    """``see`` a sample; ``ranges`` waits for all samples seen so far. Both raise what went wrong with a sample."""

    def see(self, name: str, feed: Mapping[str, Array]) -> None: ...

    def ranges(self) -> Ranges: ...


def open_observer(content: bytes, threads: int, inner: bool) -> Observer:
    """Inner sees all of a model, also what is ``hidden``; outer sees its main graph and is ten times as fast."""
    return InnerObserver(with_intermediates(content)) if inner else OuterObserver(content, threads)


class OuterObserver:
    """Makes every tensor an output of the model, so that the fast kernels (XNNPACK) can be used; one model a thread."""

    def __init__(self, content: bytes, threads: int) -> None:
        model = flatbuffer.read(content)
        self._keys = {place[1]: key for place, key in range_keys(model).items() if place[0] == 0}
        computed = {int(i) for op in model.subgraphs[0].operators for i in op.outputs} & set(self._keys)
        own = [int(index) for index in model.subgraphs[0].outputs]
        model.subgraphs[0].outputs = np.array([*own, *sorted(computed - set(own))], np.int32)
        opened = flatbuffer.write(model)
        self._samples: queue.Queue[tuple[str, Mapping[str, Array]]] = queue.Queue(maxsize=2 * threads)
        self._failures: list[TfmobileError] = []
        self._found: list[dict[int, tuple[np.float32, np.float32]]] = []
        for _ in range(threads):
            self._found.append({})
            target, arguments = self._work, (_open(opened), self._found[-1])
            threading.Thread(target=target, args=arguments, daemon=True).start()

    def see(self, name: str, feed: Mapping[str, Array]) -> None:
        self._raise()
        self._samples.put((name, feed))

    def ranges(self) -> Ranges:
        self._samples.join()
        self._raise()
        merged: Ranges = {}
        for found in self._found:
            merge(merged, {self._keys[i]: (float(low), float(high)) for i, (low, high) in found.items()})
        return merged

    def _raise(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _work(self, interpreter: Interpreter, found: dict[int, tuple[np.float32, np.float32]]) -> None:
        while True:
            name, feed = self._samples.get()
            try:
                if not self._failures:
                    self._observe(interpreter, found, name, feed)
            except TfmobileError as error:
                self._failures.append(error)
            finally:
                self._samples.task_done()

    def _observe(
        self,
        interpreter: Interpreter,
        found: dict[int, tuple[np.float32, np.float32]],
        name: str,
        feed: Mapping[str, Array],
    ) -> None:
        run(interpreter, name, feed)
        for index in self._keys:
            value = interpreter.raw.tensor(index)()
            low, high = (value.min(), value.max()) if value.size else (np.float32(0), np.float32(0))
            del value  # a view into the model's memory, which must be gone before the next invoke
            if not (np.isfinite(low) and np.isfinite(high)):
                raise not_finite(f"Sample '{name}'", self._keys[index])
            before = found.get(index, (low, high))
            found[index] = (min(before[0], low), max(before[1], high))


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
