"""The child of ``evaluate``: its own interpreters with one thread each, judging the samples it is told to.

It is told over stdin, one line each: how to judge (JSON), then ranges ``start stop``, then ``end``; when stdin closes
the parent is gone and so is the worker. It answers on stdout with JSON lines. What the models or the user's code print
goes to stderr. Before every step that could crash it notes in the file ``status`` what it is about to do.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfmobile.artifacts import Sample
from tfmobile.datasets import Dataset, Preprocessing, open_dataset
from tfmobile.datasets.spec import DataSpec
from tfmobile.errors import DataError, TfmobileError
from tfmobile.evaluation import judging
from tfmobile.evaluation.feeds import Feeder
from tfmobile.evaluation.metrics import apply_metric, load_metric
from tfmobile.evaluation.records import ModelRecord, SampleRecord
from tfmobile.evaluation.tasks import Judgement, label_out_of_range
from tfmobile.graph.model import Array
from tfmobile.runtime import Interpreter, open_interpreter

STATUS = struct.Struct("<bii")
LOADING, READING, RUNNING, MEASURING, IDLE = range(5)
FLUSH_SECONDS = 0.1


class Worker:
    """One child: open data set and interpreters, and a judge once told how."""

    def __init__(self, folder: Path, place: int, send: Callable[[Any], None]) -> None:
        request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        self._send = send
        self._status = os.open(folder / f"status-{place}", os.O_WRONLY | os.O_CREAT)
        self._spec = spec_from_dict(request["data"])
        self._metric = load_metric(request["metric"]) if request["metric"] else None
        self._models: list[Interpreter] = []
        for index in range(request["models"]):
            self._note(LOADING, index, -1)
            self._models.append(open_interpreter((folder / f"model-{index}.tflite").read_bytes()))
        self._note(READING, -1, 0)
        self._data: Dataset = open_dataset(self._spec)
        if self._data.concurrent:
            self._data.read(0)  # loads the decoders, so that all work goes at the same speed
        self._feeder = Feeder(self._spec.preprocessing, [tuple(model.inputs.values()) for model in self._models])
        self._how: Judgement | None = None
        self._sums: list[Array] = []
        self._note(IDLE, -1, -1)

    def hello(self) -> dict[str, Any]:
        """The outputs of every model, for the parent to decide how to judge."""
        return {"ready": [[dataclasses.asdict(fact) for fact in model.outputs.values()] for model in self._models]}

    def judge_like(self, how: Mapping[str, Any]) -> None:
        """Take over the parent's decision."""
        self._how = Judgement(**{**how, "orders": tuple(map(tuple, how["orders"]))})

    def judge(self, start: int, stop: int) -> None:
        """Send the records of the samples at positions ``start`` to ``stop``, several a line."""
        rows: list[SampleRecord] = []
        sent = time.monotonic()
        for position in range(start, stop):
            self._note(READING, -1, position)
            rows.append(self._sample(position, self._data.read(position)))
            if time.monotonic() - sent > FLUSH_SECONDS:
                self._send({"rows": rows})
                rows, sent = [], time.monotonic()
        self._note(IDLE, -1, -1)
        self._send({"rows": rows, "done": True})

    def farewell(self) -> dict[str, Any]:
        """Count, sum and sum of squares of the regression targets, element by element, for R²."""
        return {"targets": [array.tolist() for array in self._sums]}

    def _note(self, phase: int, model: int, position: int) -> None:
        os.pwrite(self._status, STATUS.pack(phase, model, position), 0)

    def _sample(self, position: int, sample: Sample) -> SampleRecord:
        assert self._how is not None
        label = self._label(sample)
        outputs = []
        for index, (model, values) in enumerate(zip(self._models, self._feeder.feeds(sample), strict=True)):
            self._note(RUNNING, index, position)
            outputs.append(model.run(values))
        orders = self._how.orders
        self._note(MEASURING, -1, position)
        ordered = [[found[key] for key in order] for found, order in zip(outputs, orders, strict=True)]
        records = [self._judge_model(found, row, label, sample) for found, row in zip(outputs, ordered, strict=True)]
        pairs = [judging.compare_outputs(ordered[0], row) for row in ordered[1:]]
        number = label if isinstance(label, int) else None
        return SampleRecord(position, sample.name, number, tuple(records), tuple(pairs))

    def _label(self, sample: Sample) -> int | Array | None:
        """The label as the task wants it; raises DataError for one that does not fit."""
        assert self._how is not None
        label, kind = sample.label, self._how.kind
        if kind in ("outputs", "metric"):
            return label
        if label is None:
            raise DataError(f"'{sample.name}' has no label, while others have.", fixes=["Label it or remove it."])
        if kind == "regression":
            target = np.asarray(label, np.float64).ravel()
            self._add_target(target, sample.name)
            return target
        if not isinstance(label, int):
            label = _class_number(label, sample.name)
        if kind == "classification" and not 0 <= label < self._how.classes:
            raise label_out_of_range(sample.name, label, self._how.classes)
        return label

    def _add_target(self, target: Array, name: str) -> None:
        if not self._sums:
            self._sums = [np.zeros(1), np.zeros(target.size), np.zeros(target.size)]
        if target.size != self._sums[1].size:
            raise DataError(
                f"The label of '{name}' has {target.size} values, others have {self._sums[1].size}.",
                fixes=["Store targets of equal shape for all samples."],
            )
        for total, amount in zip(self._sums, (1.0, target, target * target), strict=True):
            total += amount

    def _judge_model(
        self, outputs: Mapping[str, Array], ordered: list[Array], label: int | Array | None, sample: Sample
    ) -> ModelRecord:
        assert self._how is not None
        finite, kind = judging.finite(outputs), self._how.kind
        if kind == "metric" and self._metric is not None:
            return ModelRecord(finite, metric=apply_metric(self._metric, outputs, sample.label, sample.name))
        if self._how.primary < 0:
            return ModelRecord(finite)
        scores = ordered[self._how.primary].ravel()
        if kind == "regression":
            return _regression(finite, scores, label, sample.name)
        if self._how.classes == 1:
            value = float(scores[0])
            return ModelRecord(finite, score=value if finite else 0.0)
        top = judging.top_classes(scores)
        return ModelRecord(
            finite,
            top=top,
            confidence=judging.confidence_of(scores, top[0]),
            probabilities=judging.looks_like_probabilities(scores),
            rank=judging.rank_of(scores, label) if kind == "classification" and isinstance(label, int) else -1,
        )


def _regression(finite: bool, scores: Array, target: Any, name: str) -> ModelRecord:
    if scores.size != target.size:
        raise DataError(
            f"The label of '{name}' has {target.size} values, the model's output {scores.size}.",
            fixes=["Store targets of the output's shape.", "Measure with your own function: --metric module:callable"],
        )
    error = scores.astype(np.float64) - target
    return ModelRecord(finite, absolute_error=float(np.abs(error).mean()), squared_error=float((error * error).mean()))


def _class_number(label: Array, name: str) -> int:
    if label.size == 1 and float(label.reshape(())).is_integer():
        return int(label.reshape(()))
    raise DataError(
        f"The label of '{name}' is no class number: {label.tolist()}.",
        fixes=["Store labels as integers.", "For real-valued targets: --task regression"],
    )


def spec_from_dict(values: Mapping[str, Any]) -> DataSpec:
    """Rebuild a DataSpec from ``dataclasses.asdict`` that went through JSON."""
    plain: dict[str, Any] = {
        key: tuple(item) if isinstance(item, list) else item for key, item in values["preprocessing"].items()
    }
    return DataSpec(**{**values, "preprocessing": Preprocessing(**plain)})


def _commands() -> queue.Queue[str]:
    """The lines of stdin. The process ends at once when stdin closes, whatever it is doing: the parent is gone."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line.strip())
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _answers() -> Callable[[Any], None]:
    """A function that writes one JSON line to the real stdout; everybody else's prints go to stderr from now on."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(value: Any) -> None:
        stream.write(json.dumps(value) + "\n")
        stream.flush()

    return send


def main() -> None:
    """Serve the parent until it says ``end``."""
    send, commands = _answers(), _commands()
    folder, _, place = sys.argv[-1].rpartition("#")
    try:
        worker = Worker(Path(folder), int(place), send)
        send(worker.hello())
        worker.judge_like(json.loads(commands.get()))
        while (line := commands.get()) != "end":
            start, stop = map(int, line.split())
            worker.judge(start, stop)
        send(worker.farewell())
    except TfmobileError as error:
        kind = type(error).__name__
        send({"error": {"kind": kind, "what": error.what, "why": error.why, "fixes": list(error.fixes)}})
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    # Without waiting for the thread that reads stdin.
    os._exit(0)


if __name__ == "__main__":
    main()
