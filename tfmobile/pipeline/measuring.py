"""Measure models: accuracy on data, latency and memory on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfmobile.artifacts import Evaluation, Latency
from tfmobile.errors import UsageError
from tfmobile.plan import make_plan
from tfmobile.progress import Progress, silent
from tfmobile.steps import measured
from tfmobile.steps.choices import need_data, need_model
from tfmobile.steps.context import VERIFY_SAMPLES, some_feeds
from tfmobile.steps.opening import card_preprocessing, open_model


def evaluate(
    model: str | Path,
    *,
    data: str | None = None,
    against: str | None = None,
    config: str | None = None,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    labels: str | None = None,
    label_offset: int | None = None,
    limit: int | None = None,
    x_key: str | None = None,
    y_key: str | None = None,
    resize: str | Sequence[int] | None = None,
    central_crop: float | None = None,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    color: str | None = None,
    layout: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    workers: int | None = None,
    trust: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Accuracy of a model on ``data``, with confidence; paired with the model ``against``, when given.

    A .tflite needs no TensorFlow. Beside the card.json of its run, its preprocessing is taken from there unless given.
    """
    from tfmobile.evaluation import evaluate as run_evaluation

    plan = card_preprocessing(make_plan(config, locals()))
    need_model(plan)
    if plan.data.data is None:
        raise UsageError(
            "No data was named.", why="evaluate needs samples.", fixes=["tfmobile evaluate MODEL --data DIR"]
        )
    need_data(plan.data.data)
    models = [open_model(against, plan, trust)] if against else []
    models.append(open_model(str(plan.model.path), plan, trust))
    return run_evaluation(
        models,
        plan.data_spec(plan.data.data),
        task=plan.evaluate.task,
        metric=plan.evaluate.metric,
        workers=plan.evaluate.workers,
        progress=progress,
    )


def benchmark(
    model: str | Path,
    *,
    against: str | None = None,
    data: str | None = None,
    config: str | None = None,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    resize: str | Sequence[int] | None = None,
    central_crop: float | None = None,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    color: str | None = None,
    layout: str | None = None,
    threads: Sequence[int] = (),
    xnnpack: str | None = None,
    latency_budget: float | None = None,
    trust: bool = False,
    progress: Progress = silent,
) -> Latency:
    """Latency and memory of a model on this machine; interleaved with the model ``against``, with their ratio.

    Fed with samples of ``data``, else with random inputs. A .tflite needs no TensorFlow.
    """
    from tfmobile.runtime import describe

    plan = card_preprocessing(make_plan(config, locals()))
    need_model(plan)
    need_data(plan.data.data)
    models = [open_model(against, plan, trust)] if against else []
    models.append(open_model(str(plan.model.path), plan, trust))
    inputs = describe(models[-1].content).inputs
    feeds = some_feeds(plan, plan.data.data, inputs, VERIFY_SAMPLES)
    return measured.run_benchmark(models, feeds, None, plan.benchmark, progress)
