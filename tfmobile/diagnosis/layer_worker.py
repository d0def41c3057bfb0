"""The child of the comparison by layer: runs both models on each sample and adds up what their tensors differ in."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.runtime import child
from tfmobile.runtime.interpreter import dequantize, open_interpreter, quantize


class Sums:
    """Of one tensor, float (f) against quantized (q): all that SQNR, cosine and RMSE need, and errors by channel.

    A value is clipped when it lies more than half a step outside ``low`` … ``high``.
    """

    def __init__(self, low: float, high: float, scale: float) -> None:
        self._low, self._high = low - scale / 2, high + scale / 2
        self._bounded = scale > 0
        self.values = dict.fromkeys(("count", "ff", "qq", "fq", "ee", "clipped", "clipped_ee"), 0.0)
        self.shift: Array | None = None

    def add(self, ours: Array, theirs: Array) -> None:
        real, found = ours.astype(np.float64), theirs.astype(np.float64)
        error = found - real
        squares = np.square(error)
        self._more("count", real.size)
        self._more("ff", np.square(real).sum())
        self._more("qq", np.square(found).sum())
        self._more("fq", (real * found).sum())
        self._more("ee", squares.sum())
        if self._bounded:
            outside = (real < self._low) | (real > self._high)
            self._more("clipped", outside.sum())
            self._more("clipped_ee", squares[outside].sum())
        by_channel = error.reshape(-1, error.shape[-1] if error.ndim else 1).sum(0)
        self.shift = by_channel if self.shift is None else self.shift + by_channel

    def _more(self, key: str, value: Any) -> None:
        self.values[key] += float(value)

    def result(self) -> dict[str, float]:
        """``shift_ee``: the part of the squared error that is a constant shift of each channel."""
        count = self.values["count"]
        shift = 0.0
        if self.shift is not None and count:
            each = count / self.shift.size
            shift = float((np.square(self.shift / each) * each).sum())
        return {**self.values, "shift_ee": shift}


def answer(job: child.Job) -> child.Answer:
    """Name → sums, for the tensors asked for as [name in the float model, in the quantized one, low, high, scale]."""
    ours, theirs = (
        open_interpreter(job.file(name).read_bytes(), xnnpack=False, preserve_all=True)
        for name in ("float", "quantized")
    )
    wanted = job.request["tensors"]
    sums = {name: Sums(low, high, scale) for name, _, low, high, scale in wanted}
    inputs = {
        key: (Sums(low, high, scale), scale, zero, kind) for key, low, high, scale, zero, kind in job.request["inputs"]
    }
    for feed in job.arrays():
        ours.run(feed)
        theirs.run(feed)
        first, second = ours.tensors(), theirs.tensors()
        for name, other, *_ in wanted:
            if name in first and other in second and _comparable(first[name], second[other]):
                sums[name].add(first[name], second[other])
        for key, (sum_, scale, zero, kind) in inputs.items():
            sum_.add(feed[key], dequantize(quantize(feed[key], scale, zero, kind), scale, zero))
    found = {name: one.result() for name, one in sums.items() if one.values["count"]}
    return child.Answer({"tensors": found, "inputs": {key: row[0].result() for key, row in inputs.items()}})


def _comparable(ours: Array, theirs: Array) -> bool:
    return ours.shape == theirs.shape and ours.dtype.kind == "f" and theirs.dtype.kind == "f" and ours.size > 0


if __name__ == "__main__":
    child.serve(answer)
