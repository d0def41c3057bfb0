"""Two models opened, fed the same samples and compared."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfmobile.artifacts import SourceModel, TensorFact
from tfmobile.errors import UsageError, VerificationError
from tfmobile.fingerprint import of_model
from tfmobile.graph.model import Array
from tfmobile.plan import ModelOptions, Plan
from tfmobile.progress import Progress
from tfmobile.steps.choices import need_data, need_model
from tfmobile.steps.context import some_feeds
from tfmobile.steps.opening import card_preprocessing, open_source

if TYPE_CHECKING:
    from tfmobile.differences import ModelDiff, ModelFact


def compare(plan: Plan, other: str, *, samples: int, tolerance: float, trust: bool, progress: Progress) -> ModelDiff:
    """The plan's model, A, against ``other``, B; raises the errors of loading, and DataError."""
    from tfmobile.differences import RANDOM, diff_models, identical

    _check(samples, tolerance)
    second = dataclasses.replace(plan, model=dataclasses.replace(plan.model, path=other))
    paths = need_model(plan), need_model(second)
    data = plan.data.data
    need_data(data)
    if _same_content(*paths):
        return identical(_seen(paths[0]), _seen(paths[1]), tolerance)
    a, b = _open(paths[0], plan, trust), _open(paths[1], plan, trust)
    if data is None or data == RANDOM:
        return diff_models(a, b, samples=samples, tolerance=tolerance, progress=progress)
    as_on_card = _with_card(plan, second)

    def feeds(inputs: Sequence[TensorFact]) -> Sequence[Mapping[str, Array]]:
        return some_feeds(as_on_card, data, tuple(inputs), samples)

    return diff_models(a, b, tolerance=tolerance, data=data, feeds=feeds, progress=progress)


def need_agreement(found: ModelDiff) -> None:
    """Raise VerificationError unless the outputs were compared and stay within the tolerance."""
    numbers = found.numbers
    if found.outputs_agree:
        return
    if not numbers.outputs:
        raise VerificationError(
            "The two models could not be compared in numbers.",
            why=numbers.reason or "No output of the one belongs to an output of the other.",
            fixes=["Give both the same ends (--input, --output, --input-shape).", "Leave out --check."],
        )
    worst = next(gap for gap in numbers.outputs if gap.differs)
    if worst.max_rel is not None:
        how = f"It moves by {worst.max_rel:.3g} of its largest value; {numbers.tolerance:g} is allowed."
    else:
        how = f"It has shape {list(worst.shape)} in the one, {list(worst.other_shape)} in the other."
    first = numbers.first
    raise VerificationError(
        f"The output '{worst.name}' is not the same in both models.",
        why=f"{how} They part at '{first.tensor.other}' ({first.tensor.op})." if first else how,
        fixes=["Allow a larger difference with --tolerance, if that is meant."],
    )


def _check(samples: int, tolerance: float) -> None:
    if samples < 1:
        raise UsageError("--samples must be at least 1.", why=f"It is {samples}.", fixes=["--samples 2"])
    if not tolerance >= 0:
        raise UsageError("--tolerance must be 0 or more.", why=f"It is {tolerance}.", fixes=["--tolerance 1e-4"])


def _open(path: str, plan: Plan, trust: bool) -> SourceModel:
    """How a model is opened (signature, inputs, shapes) holds for each that is not a .tflite."""
    return open_source(path, ModelOptions() if path.endswith(".tflite") else plan.model, trust, verbatim=True)


def _with_card(plan: Plan, second: Plan) -> Plan:
    """The preprocessing that was given, else the one on the card of either model."""
    found = card_preprocessing(plan)
    if found.preprocessing == plan.preprocessing:
        found = card_preprocessing(second)
    return dataclasses.replace(plan, preprocessing=found.preprocessing)


def _seen(path: str) -> ModelFact:
    """What can be told of a model without opening it; raises ModelError when it is none."""
    from tfmobile.differences import ModelFact
    from tfmobile.loading import identify

    found = identify(path)
    files = [item for item in Path(path).rglob("*") if item.is_file()] if Path(path).is_dir() else [Path(path)]
    size = sum(item.stat().st_size for item in files if item.is_file())
    return ModelFact(path, found.format, found.summary, of_model(path), size, 0, (), ())


def _same_content(a: str, b: str) -> bool:
    if Path(a).is_file() and Path(b).is_file():
        return filecmp.cmp(a, b, shallow=False)
    return of_model(a) == of_model(b) != ""
