"""Look at models, freeze them, rewrite them, compare two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfmobile.artifacts import RewriteStep, SourceModel, Transformation
from tfmobile.graph.model import Graph
from tfmobile.plan import make_plan
from tfmobile.progress import Progress, silent
from tfmobile.steps import compared, inspected, transformed
from tfmobile.steps.choices import need_data, need_model
from tfmobile.steps.context import VERIFY_SAMPLES, input_facts, some_feeds
from tfmobile.steps.opening import open_source

if TYPE_CHECKING:
    from tfmobile.differences import ModelDiff
    from tfmobile.inspection import GraphInspection, TFLiteInspection


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
    source = open_source(need_model(plan), plan.model, trust)
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
