"""The job of a worker: run one .tflite on some samples, and tell of each what the decision needs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmobile.artifacts import Sample
from tfmobile.datasets import Dataset, open_dataset
from tfmobile.errors import DataError
from tfmobile.evaluation import judging
from tfmobile.evaluation.feeds import Feeder
from tfmobile.evaluation.metrics import apply_metric, load_metric
from tfmobile.evaluation.summary import THRESHOLD
from tfmobile.evaluation.tasks import label_out_of_range
from tfmobile.evaluation.worker import spec_from_dict
from tfmobile.graph.model import Array
from tfmobile.runtime import Interpreter, open_interpreter
from tfmobile.search.answers import Answer, Judging

TASK = "tfmobile.search.judge_task:judge"


def request(
    model: Path, data: Mapping[str, Any], how: Mapping[str, Any], positions: list[int], top: int
) -> dict[str, Any]:
    """What ``judge`` is asked; ``top``: of how many classes it tells the probability."""
    return {"model": str(model), "data": data, "how": how, "positions": positions, "top": top}


def judge(asked: Mapping[str, Any]) -> list[Answer]:
    """An answer for each of the positions, in their order. Raises DataError for samples that do not fit."""
    runner = _runner(asked["model"], _Frozen(asked["data"]))
    how = Judging.of(asked["how"])
    return [runner.answer(position, how, asked["top"]) for position in asked["positions"]]


class _Frozen(dict[str, Any]):
    """A JSON object as a key: equal text, equal key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(sorted(self.items())))


class _Runner:
    """An open model and the open data set."""

    def __init__(self, model: str, data: Mapping[str, Any]) -> None:
        self._model: Interpreter = open_interpreter(Path(model).read_bytes())
        self._data = _dataset(_Frozen(data))
        spec = spec_from_dict(data)
        self._feeder = Feeder(spec.preprocessing, [tuple(self._model.inputs.values())])

    def answer(self, position: int, how: Judging, top: int) -> Answer:
        sample = self._data.read(position)
        (feed,) = self._feeder.feeds(sample)
        outputs = self._model.run(feed)
        finite = judging.finite(outputs)
        label = sample.label
        if how.kind == "metric":
            return Answer(finite, value=apply_metric(load_metric(how.metric), outputs, label, sample.name))
        scores = outputs[how.output].ravel()
        if how.kind == "regression":
            return Answer(finite, value=_absolute_error(scores, sample))
        classes, probabilities = _classes(scores, top)
        right = None
        if how.labelled:
            right = finite and classes[0] == _class(sample, max(len(scores), 2))
        return Answer(finite, tuple(classes), tuple(probabilities), right, 0.0, _sure(scores))


@functools.lru_cache(maxsize=2)
def _runner(model: str, data: _Frozen) -> _Runner:
    return _Runner(model, data)


@functools.lru_cache(maxsize=2)
def _dataset(data: _Frozen) -> Dataset:
    return open_dataset(spec_from_dict(data))


def _classes(scores: Array, top: int) -> tuple[list[int], list[float]]:
    """The ``top`` most probable classes and their probabilities; a single score tells class 1 from class 0."""
    if len(scores) == 1:
        one = float(scores[0])
        first = int(one > THRESHOLD)
        inside = min(max(one, 0.0), 1.0)
        return [first, 1 - first], [inside if first else 1 - inside, 1 - inside if first else inside]
    found = [int(index) for index in (-scores).argsort(kind="stable")[:top]]
    return found, [judging.confidence_of(scores, index) for index in found]


def _sure(scores: Array) -> bool:
    return judging.looks_like_probabilities(scores)


def _class(sample: Sample, classes: int) -> int:
    label = sample.label
    if not isinstance(label, int):
        raise DataError(
            f"The label of '{sample.name}' is no class number: {label}.", fixes=["Store labels as whole numbers."]
        )
    if not 0 <= label < classes:
        raise label_out_of_range(sample.name, label, classes)
    return label


def _absolute_error(scores: Array, sample: Sample) -> float:
    import numpy as np

    target = np.asarray(sample.label, np.float64).ravel()
    if target.size != scores.size:
        raise DataError(
            f"The label of '{sample.name}' has {target.size} values, the model's output {scores.size}.",
            fixes=["Store targets of the output's shape.", "Measure with your own function: --metric module:callable"],
        )
    return float(np.abs(scores.astype(np.float64) - target).mean())
