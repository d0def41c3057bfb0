"""Time the original graph under TensorFlow: the same protocol as ``device_runner``, in a child of its own.

``load`` takes ``graph`` (path of a serialized GraphDef), ``inputs`` and ``outputs`` (key, ref, dtype, shape). The time
of a run is one call of a session, with the arrays handed in and out, as a program that uses TensorFlow pays it.
Start-up is building the session and its first run; importing TensorFlow is not part of it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.benchmarking.device_runner import PROTOCOL, Failure, Memory, host_facts, serve
from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Array, TensorRef, TensorSpec


class TensorFlow:
    """One graph on a number of threads, answering requests."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.runner: Any = None
        self.request: dict[str, Any] = {}
        self.feeds: list[dict[str, Array]] = []
        self.next = 0

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        """Import TensorFlow."""
        try:
            import tensorflow as tf
        except ImportError as cause:
            raise Failure("runtime", f"TensorFlow cannot be imported: {cause}") from cause
        self.memory.start()
        return {"protocol": PROTOCOL, "runtime": "tensorflow", "version": tf.__version__, "host": host_facts()}

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remember what to build: start-up is timed with the first run, which ``feed`` makes."""
        self.request = request
        inputs = [{"key": one["key"], "shape": one["shape"], "dtype": one["dtype"]} for one in request["inputs"]]
        return {"init_ms": 0.0, "inputs": inputs, "delegated_ops": None, "memory": self.memory.bytes()}

    def feed(self, request: dict[str, Any]) -> dict[str, Any]:
        """Read the samples, build the session, run once."""
        from tfmobile.graph.graphdef import from_graph_def
        from tfmobile.graph.run import Runner

        keys = [one["key"] for one in self.request["inputs"]]
        with np.load(request["path"], allow_pickle=False) as archive:
            count = 1 + max((int(name.split(".")[0]) for name in archive.files), default=-1)
            self.feeds = [{key: archive[f"{n}.{k}"] for k, key in enumerate(keys)} for n in range(count)]
        if not self.feeds:
            raise Failure("feed", "the file holds no samples")
        content = Path(self.request["graph"]).read_bytes()
        start = time.perf_counter_ns()
        try:
            graph = from_graph_def(content, _specs(self.request["inputs"]), _specs(self.request["outputs"]))
            self.runner = Runner(graph, optimized=True, threads=self.request["threads"])
            self.runner.run(self.feeds[0])
        except TfmobileError as cause:
            raise Failure("load", f"{cause.what} {cause.why}") from cause
        init_ms = (time.perf_counter_ns() - start) / 1e6
        fed = sum(array.nbytes for one in self.feeds for array in one.values())
        return {"samples": count, "init_ms": init_ms, "memory": {**self.memory.bytes(), "feeds": fed}}

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time ``count`` runs after ``warmup`` that are not timed."""
        times = []
        for number in range(-request.get("warmup", 0), request["count"]):
            feed = self.feeds[self.next % len(self.feeds)]
            self.next += 1
            start = time.perf_counter_ns()
            try:
                self.runner.run(feed)
            except TfmobileError as cause:
                raise Failure("run", f"{cause.what} {cause.why}") from cause
            if number >= 0:
                times.append((time.perf_counter_ns() - start) / 1e6)
        return {"times_ms": times, "memory": self.memory.bytes()}


def _specs(rows: list[dict[str, Any]]) -> list[TensorSpec]:
    return [TensorSpec(one["key"], TensorRef.parse(one["ref"]), one["dtype"], _shape(one["shape"])) for one in rows]


def _shape(dims: list[int | None] | None) -> tuple[int | None, ...] | None:
    return None if dims is None else tuple(dims)


def describe(spec: TensorSpec) -> dict[str, Any]:
    """A graph's input or output as the protocol writes it."""
    return {
        "key": spec.key,
        "ref": str(spec.ref),
        "dtype": spec.dtype,
        "shape": None if spec.shape is None else list(spec.shape),
    }


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    serve(TensorFlow())
