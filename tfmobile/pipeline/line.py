"""The whole line, from a trained model to a proven .tflite. Reads top to bottom like the picture.

load → rewrite → convert → calibrate → quantize → load test → compare → evaluate → benchmark → report
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfmobile.artifacts import NamedModel, Report
from tfmobile.graph.model import Array
from tfmobile.plan import make_plan
from tfmobile.progress import Progress, silent
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps import by_recipe, measured, own_ranges, searched
from tfmobile.steps import model as model_steps
from tfmobile.steps import quantized as quantized_steps
from tfmobile.steps.baked import bake
from tfmobile.steps.choices import check_choices, check_data
from tfmobile.steps.context import VERIFY_SAMPLES, Context, data_key, input_facts, some_feeds
from tfmobile.steps.divided import divide
from tfmobile.steps.results import publish_report
from tfmobile.workspace import Workspace


def optimize(
    model: str | Path | None = None,
    *,
    config: str | None = None,
    recipe: str | None = None,
    target: str | None = None,
    data: str | None = None,
    calibrate_with: str | None = None,
    out: str | None = None,
    io: str | None = None,
    passes: str | Sequence[str] = (),
    bake_preprocessing: bool | None = None,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    trust: bool = False,
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
    threads: Sequence[int] = (),
    xnnpack: str | None = None,
    latency_budget: float | None = None,
    evaluate: bool = True,
    benchmark: bool = True,
    max_drop: float | None = None,
    min_agreement: float | None = None,
    objective: str | None = None,
    time_budget: str | float | None = None,
    better: str | None = None,
    fresh: bool = False,
    progress: Progress = silent,
) -> Report:
    """Turn a trained model into a proven .tflite: the whole line, written to the folder ``out``.

    Every option can stand in tfmobile.toml. Raises the errors of every stage (see ``tfmobile.errors``); when it raises,
    earlier results in ``out`` are left as they were.
    """
    plan = make_plan(config, locals())
    recipe_, target_ = check_choices(plan)
    check_data(plan, recipe_)
    searched.check(plan)
    with Workspace(Path(plan.optimize.out)) as workspace:
        if fresh:
            workspace.forget()
        context = Context(plan, workspace, progress, trust)
        if plan.search.wanted:
            plan = divide(context)
        source, loaded = model_steps.load(context)
        if plan.optimize.bake_preprocessing:
            source, loaded = bake(context, source, loaded)
            plan = context.plan
        inputs = input_facts(source)
        calibration_path = plan.calibration_path
        feeds: Sequence[Mapping[str, Array]] = some_feeds(plan, calibration_path, inputs, VERIFY_SAMPLES)
        feeds_key = {"samples": data_key(plan, calibration_path), "count": VERIFY_SAMPLES}

        ranged = (source, loaded) if own_ranges.brings_ranges(source) else None
        if ranged is not None:
            source, loaded = own_ranges.float_twin(context, source, loaded, recipe_)
        prepared = model_steps.prepare(context, source, loaded, feeds, feeds_key)

        def make(context: Context, recipe: Recipe) -> by_recipe.Quantized:
            if ranged is not None and own_ranges.uses_ranges(recipe):
                return own_ranges.quantize(context, *ranged, feeds, feeds_key, recipe, prepared.floating)
            return by_recipe.quantize(context, recipe, prepared, inputs)

        search = None
        if plan.search.wanted:
            recipe_, search = searched.search(
                context, recipe_, target_, prepared, inputs, make, mixing=ranged is None, timed=benchmark
            )
        quantized = make(context, recipe_)
        description = f"{source.summary}; recipe {recipe_.name}, made by tfmobile"
        content, finished = quantized_steps.add_metadata(
            context, quantized.content, Path(source.path).stem, description, quantized.key
        )

        real_feeds = feeds
        feeds = feeds or quantized_steps.stand_in_feeds(context, inputs, VERIFY_SAMPLES)
        load_test = quantized_steps.load_test(context, content, feeds, finished.key)
        models_key = [prepared.key, finished.key, feeds_key]
        differences = model_steps.compare(context, source, prepared.floating, content, feeds, models_key)
        layer_errors = quantized_steps.layer_errors(context, quantized.floating, content, feeds, models_key)

        models = [NamedModel("original", prepared.original), NamedModel("optimized", content)]
        evaluation = latency = None
        if evaluate and plan.data.data:
            evaluation = measured.evaluate(context, models, plan.data.data)
        else:
            context.note(_not_evaluated(evaluate))
        if benchmark:
            latency = measured.benchmark(context, models, real_feeds, source.graph, loaded.key)
        else:
            context.note("Latency was not measured (--no-benchmark).")
        return publish_report(
            context,
            source=source,
            recipe=recipe_,
            target=target_,
            prepared=prepared,
            quantized=quantized,
            content=content,
            load_test=load_test,
            differences=differences,
            layer_errors=layer_errors,
            evaluation=evaluation,
            latency=latency,
            search=search,
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        )


def _not_evaluated(wanted: bool) -> str:
    if not wanted:
        return "Accuracy was not measured (--no-evaluate)."
    return "Accuracy was not measured: no evaluation data was given (--data)."
