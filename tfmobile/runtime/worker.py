"""The child of ``load_test`` and ``run``: opens one .tflite and invokes it on the sets of arrays it is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmobile.artifacts import TensorFact
from tfmobile.graph.model import Array
from tfmobile.runtime import child
from tfmobile.runtime.interpreter import Interpreter, dequantize, open_interpreter, runtime_name_version


def answer(job: child.Job) -> child.Answer:
    """Outputs (or all tensors) for every feed; ``values`` fill up while the arrays are drawn."""
    request = job.request
    start = time.perf_counter()
    interpreter = open_interpreter(
        job.file("model").read_bytes(),
        threads=request["threads"],
        xnnpack=request["xnnpack"],
        preserve_all=request["tensors"],
    )
    values: dict[str, Any] = {
        "runtime": runtime_name_version(),
        "init_ms": (time.perf_counter() - start) * 1000,
        "invocations": 0,
        "outputs_finite": True,
    }
    return child.Answer(values, _results(job, interpreter, values))


def _results(job: child.Job, interpreter: Interpreter, values: dict[str, Any]) -> Iterator[dict[str, Array]]:
    feeds = job.arrays() if job.request["fed"] else random_feeds(interpreter.inputs, job.request["random"])
    for feed in feeds:
        outputs = interpreter.run(feed)
        values["invocations"] += 1
        values["outputs_finite"] = values["outputs_finite"] and all(map(_finite, outputs.values()))
        if job.request["tensors"]:
            outputs = {**interpreter.tensors(), **outputs}
        if job.request["keep"]:
            yield outputs


def _finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def random_feeds(inputs: dict[str, TensorFact], count: int, seed: int = 0) -> Iterator[dict[str, Array]]:
    """``count`` feeds of seeded random values: the full range of a quantized input, −1…1 for a float one, else 0.

    A dimension of −1 is taken as 1.
    """
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield {key: _random(fact, generator) for key, fact in inputs.items()}


def _random(fact: TensorFact, generator: np.random.Generator) -> Array:
    shape = tuple(max(size, 1) for size in fact.shape)
    if fact.dtype == "string":
        return np.full(shape, b"", dtype=object)
    kind = np.dtype(fact.dtype)
    if kind.kind == "f":
        return generator.uniform(-1, 1, shape).astype(kind)
    if not fact.scale:
        return np.zeros(shape, kind)
    limits = np.iinfo(kind)
    raw = generator.integers(limits.min, limits.max, shape, endpoint=True)
    return dequantize(raw.astype(kind), fact.scale, fact.zero_point)


if __name__ == "__main__":
    child.serve(answer)
