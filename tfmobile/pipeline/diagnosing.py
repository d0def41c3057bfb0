"""Find out what quantization does to a model, layer by layer, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tfmobile.artifacts import Diagnosis
from tfmobile.plan import make_plan
from tfmobile.progress import Progress, silent
from tfmobile.steps import diagnosed, diagnosis_page, own_ranges
from tfmobile.steps import model as model_steps
from tfmobile.steps.baked import bake
from tfmobile.steps.choices import check_choices, check_data
from tfmobile.steps.context import VERIFY_SAMPLES, Context, data_key, input_facts, some_feeds
from tfmobile.workspace import Workspace


def diagnose(
    model: str | Path | None = None,
    *,
    config: str | None = None,
    recipe: str | None = None,
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
    progress: Progress = silent,
) -> Diagnosis:
    """Quantize a model by a recipe with integer activations, and name what loses accuracy, layer by layer.

    Writes a page of plots to the file ``out`` when one is named. Ranges are measured on calibration samples, everything
    else on others: those of ``data`` when ``calibrate_with`` names a set of its own, else a part that is held back.
    Raises the errors of loading, data and quantization (see ``tfmobile.errors``).
    """
    plan = make_plan(config, {key: value for key, value in locals().items() if key != "out"})
    recipe_, _ = check_choices(plan)
    diagnosed.need_integers(recipe_)
    check_data(plan, recipe_)
    page = diagnosis_page.check_out(out)
    with tempfile.TemporaryDirectory(prefix="tfmobile-") as folder, Workspace(Path(folder)) as workspace:
        context = Context(plan, workspace, progress, trust)
        source, loaded = model_steps.load(context)
        if plan.optimize.bake_preprocessing:
            source, loaded = bake(context, source, loaded)
        inputs = input_facts(source)
        path = context.plan.calibration_path
        feeds = some_feeds(context.plan, path, inputs, VERIFY_SAMPLES)
        feeds_key = {"samples": data_key(context.plan, path), "count": VERIFY_SAMPLES}
        if own_ranges.brings_ranges(source):
            source, loaded = own_ranges.float_twin(context, source, loaded, recipe_)
            context.note("The ranges that the model brings were left aside: diagnose measures its own.")
        prepared = model_steps.prepare(context, source, loaded, feeds, feeds_key)
        found = diagnosed.diagnose(context, recipe_, source, prepared, inputs)
    if page is not None:
        diagnosis_page.write_page(found, page)
    return found
