"""The Python API: one function a command, each with the command's name and options. Reads top to bottom like the line.

load → rewrite → convert → calibrate → quantize → load test → compare → evaluate → benchmark → report
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfmobile.artifacts import (
    Evaluation,
    Latency,
    NamedModel,
    Report,
    RewriteStep,
    SourceModel,
    Transformation,
)
from tfmobile.errors import UsageError
from tfmobile.graph.model import Array, Graph
from tfmobile.plan import Plan, make_plan
from tfmobile.progress import Progress, silent
from tfmobile.steps import compared, inspected, measured, own_ranges, transformed
from tfmobile.steps import model as model_steps
from tfmobile.steps import quantized as quantized_steps
from tfmobile.steps.baked import bake
from tfmobile.steps.choices import check_choices, check_data, need_data, need_model
from tfmobile.steps.context import VERIFY_SAMPLES, Context, data_key, input_facts, some_feeds
from tfmobile.steps.opening import card_preprocessing, open_model, open_source
from tfmobile.steps.results import publish_report
from tfmobile.workspace import Workspace

if TYPE_CHECKING:
    from tfmobile.differences import ModelDiff
    from tfmobile.inspection import GraphInspection, TFLiteInspection
    from tfmobile.passes.catalogue import PassEntry
    from tfmobile.quantization.recipe import Recipe
    from tfmobile.targets import Target


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
    time_budget: float | None = None,
    evaluate: bool = True,
    benchmark: bool = True,
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
    with Workspace(Path(plan.optimize.out)) as workspace:
        if fresh:
            workspace.forget()
        context = Context(plan, workspace, progress, trust)
        source, loaded = model_steps.load(context)
        if plan.optimize.bake_preprocessing:
            source, loaded = bake(context, source, loaded)
            plan = context.plan
        inputs = input_facts(source)
        calibration_path = plan.calibration_path
        feeds: Sequence[Mapping[str, Array]] = some_feeds(plan, calibration_path, inputs, VERIFY_SAMPLES)
        feeds_key = {"samples": data_key(plan, calibration_path), "count": VERIFY_SAMPLES}

        calibration, ranges_key = None, None
        ranged = (source, loaded) if own_ranges.brings_ranges(source) else None
        if ranged is not None:
            source, loaded = own_ranges.float_twin(context, source, loaded, recipe_)
        prepared = model_steps.prepare(context, source, loaded, feeds, feeds_key)
        if ranged is not None and own_ranges.uses_ranges(recipe_):
            content, made = own_ranges.quantize(context, *ranged, feeds, feeds_key, recipe_)
        else:
            if recipe_.needs_calibration:
                calibration, calibrated = quantized_steps.calibrate(
                    context, recipe_, prepared.floating, inputs, prepared.key
                )
                ranges_key = calibrated.key
            content, made = quantized_steps.quantize(
                context, recipe_, prepared.floating, calibration, plan.optimize.io, [prepared.key, ranges_key]
            )
        description = f"{source.summary}; recipe {recipe_.name}, made by tfmobile"
        content, finished = quantized_steps.add_metadata(
            context, content, Path(source.path).stem, description, made.key
        )

        real_feeds = feeds
        feeds = feeds or quantized_steps.stand_in_feeds(context, inputs, VERIFY_SAMPLES)
        load_test = quantized_steps.load_test(context, content, feeds, finished.key)
        models_key = [prepared.key, finished.key, feeds_key]
        differences = model_steps.compare(context, source, prepared.floating, content, feeds, models_key)
        layer_errors = quantized_steps.layer_errors(context, prepared.floating, content, feeds, models_key)

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
            calibration=calibration,
            content=content,
            load_test=load_test,
            differences=differences,
            layer_errors=layer_errors,
            evaluation=evaluation,
            latency=latency,
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        )


def _not_evaluated(wanted: bool) -> str:
    if not wanted:
        return "Accuracy was not measured (--no-evaluate)."
    return "Accuracy was not measured: no evaluation data was given (--data)."


def inspect(
    model: str | Path,
    *,
    draw: str | None = None,
    structure: bool = False,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    trust: bool = False,
) -> GraphInspection | TFLiteInspection:
    """What is in a model: operators, parameters, MACs, size by layer. A .tflite needs no TensorFlow.

    ``draw`` names an .svg or .html file to draw the graph to; ``structure`` lists every node or operator too.
    """
    plan = make_plan(None, locals(), discover=False)
    return inspected.inspect(plan, trust=trust, structure=structure, draw=draw)


def diff(
    model: str | Path,
    other: str | Path,
    *,
    data: str | None = None,
    x_key: str | None = None,
    samples: int = 2,
    tolerance: float = 1e-4,
    check: bool = False,
    resize: str | Sequence[int] | None = None,
    central_crop: float | None = None,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    color: str | None = None,
    layout: str | None = None,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    trust: bool = False,
    progress: Progress = silent,
) -> ModelDiff:
    """What changed from ``model`` to ``other``, graphs or .tflite, and where their numbers first part.

    ``check`` raises VerificationError unless all outputs were compared and stay within ``tolerance``.
    """
    plan = make_plan(None, locals(), discover=False)
    found = compared.compare(plan, str(other), samples=samples, tolerance=tolerance, trust=trust, progress=progress)
    if check:
        compared.need_agreement(found)
    return found


def freeze(
    model: str | Path,
    *,
    out: str | Path = "frozen.pb",
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    trust: bool = False,
) -> SourceModel:
    """Any TensorFlow model to one frozen GraphDef file ``out``: variables are constants, training machinery is gone."""
    plan = make_plan(None, {key: value for key, value in locals().items() if key != "out"}, discover=False)
    source = _load(plan, trust)
    transformed.write_graph(transformed.need_graph(source, "freeze"), out)
    return source


def transform(
    model: str | Path,
    *,
    passes: str | Sequence[str] = (),
    out: str | Path = "transformed.pb",
    save_steps: str | None = None,
    tolerance: float = 1e-4,
    verify: bool = True,
    data: str | None = None,
    x_key: str | None = None,
    resize: str | Sequence[int] | None = None,
    central_crop: float | None = None,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    color: str | None = None,
    layout: str | None = None,
    format: str | None = None,
    signature: str | None = None,
    tags: Sequence[str] = (),
    input: Sequence[str] = (),
    output: Sequence[str] = (),
    input_shape: Sequence[str] = (),
    graph: str | None = None,
    trust: bool = False,
    observe: Callable[[RewriteStep, str], None] | None = None,
    progress: Progress = silent,
) -> Transformation:
    """Any list of passes on any TensorFlow model, in the syntax of the Graph Transform Tool; each pass is verified.

    Writes a GraphDef to ``out`` (text when it ends in .pbtxt), and with ``save_steps`` the graph after each pass into
    that folder. ``observe`` is told of each step as it is done, with the shell line that repeats it. Raises
    VerificationError when a pass is refused that is not called with ``ignore_errors=true``; nothing is written then.
    """
    from tfmobile.passes import rewrite

    given = {key: value for key, value in locals().items() if key not in ("out", "save_steps", "tolerance", "verify")}
    plan = make_plan(None, given, discover=False)
    transformed.need_passes(plan)
    need_data(plan.data.data)
    source = open_source(need_model(plan), plan.model, trust, verbatim=True)
    before = transformed.need_graph(source, "transform")
    feeds = some_feeds(plan, plan.data.data, input_facts(source), VERIFY_SAMPLES)
    kept = transformed.KeptSteps(save_steps, source.path)

    def told(step: RewriteStep, now: Graph) -> None:
        file, result = kept.keep(step, now)
        options = plan.model if file == source.path else transformed.ends_only(plan.model, source)
        if observe is not None:
            observe(step, transformed.transform_command(file, options, step.call, result or str(out)))

    found = rewrite(
        before,
        plan.optimize.passes,
        feeds,
        tolerance=tolerance,
        verify=verify,
        strict=True,
        observe=told,
        progress=progress,
    )
    size = transformed.write_graph(found.graph, out)
    calls = " ".join(step.call for step in found.steps)
    return Transformation(
        source=source,
        rewrite=found,
        out=str(out),
        source_zipped_bytes=transformed.zipped_bytes(source.path),
        size_bytes=size,
        zipped_bytes=transformed.zipped_bytes(out),
        command=transformed.transform_command(source.path, plan.model, calls, str(out)),
        notes=source.notes,
    )


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
    time_budget: float | None = None,
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


def list_passes() -> tuple[PassEntry, ...]:
    """The passes that rewrite a graph, with their arguments."""
    from tfmobile.passes.catalogue import catalogue

    return catalogue()


def list_recipes() -> tuple[Recipe, ...]:
    """The quantization recipes, by name."""
    from tfmobile.quantization import recipe, recipe_names

    return tuple(recipe(name) for name in recipe_names())


def list_targets() -> tuple[Target, ...]:
    """The targets, by name."""
    from tfmobile.targets import target, target_names

    return tuple(target(name) for name in target_names())


def _load(plan: Plan, trust: bool) -> SourceModel:
    return open_source(need_model(plan), plan.model, trust)


__all__ = [
    "benchmark",
    "diff",
    "evaluate",
    "freeze",
    "inspect",
    "list_passes",
    "list_recipes",
    "list_targets",
    "optimize",
    "transform",
]
