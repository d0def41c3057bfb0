"""Steps that measure: accuracy on the user's data, latency on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfmobile.artifacts import Evaluation, Latency, NamedModel
from tfmobile.codec import decode, encode
from tfmobile.graph.model import Array, Graph
from tfmobile.plan import BenchmarkOptions
from tfmobile.progress import Progress
from tfmobile.steps.context import Context, data_key
from tfmobile.workspace import Product, sha256

XNNPACK: Mapping[str, tuple[bool, ...]] = {"on": (True,), "off": (False,), "both": (True, False)}


def evaluate(context: Context, models: Sequence[NamedModel], path: str) -> Evaluation:
    """Accuracy of all models on the samples at ``path``, the first being the reference."""
    plan = context.plan

    def compute() -> Product:
        from tfmobile.evaluation import evaluate as run_evaluation

        found = run_evaluation(
            models,
            plan.data_spec(path),
            task=plan.evaluate.task,
            metric=plan.evaluate.metric,
            workers=plan.evaluate.workers,
            progress=context.progress,
        )
        return {}, encode(found)

    options: dict[str, Any] = {
        "models": {model.name: sha256(model.content) for model in models},
        "samples": data_key(plan, path),
        "task": plan.evaluate.task,
        "metric": plan.evaluate.metric,
    }
    # A metric is the user's code, which may have changed.
    step = context.step("evaluate", options, compute, cache=plan.evaluate.metric is None)
    evaluation = decode(Evaluation, dict(step.facts))
    context.note(*evaluation.notes)
    return evaluation


def benchmark(
    context: Context,
    models: Sequence[NamedModel],
    feeds: Sequence[Mapping[str, Array]],
    tensorflow: Graph | None,
    key: Any,
) -> Latency:
    """Latency of all models, interleaved. Stored like every step; ``--fresh`` measures again."""
    options = context.plan.benchmark

    def compute() -> Product:
        return {}, encode(run_benchmark(models, feeds, tensorflow, options, context.progress))

    identity = {
        "models": {model.name: sha256(model.content) for model in models},
        "options": encode(options),
        "tf": key,
    }
    latency = decode(Latency, dict(context.step("benchmark", identity, compute).facts))
    context.note(*latency.notes)
    return latency


def run_benchmark(
    models: Sequence[NamedModel],
    feeds: Sequence[Mapping[str, Array]],
    tensorflow: Graph | None,
    options: BenchmarkOptions,
    progress: Progress,
) -> Latency:
    """The stage, with the plan's settings."""
    from tfmobile.benchmarking import benchmark as measure

    return measure(
        models,
        feeds=feeds,
        threads=options.threads,
        xnnpack=XNNPACK[options.xnnpack],
        tensorflow=tensorflow,
        time_budget_s=options.latency_budget,
        progress=progress,
    )
