"""The layers of a candidate in the order in which more bits pay, as a step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from tfmobile.artifacts import TensorFact
from tfmobile.errors import TfmobileError
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.by_recipe import Quantized
from tfmobile.steps.context import Context
from tfmobile.steps.improved import improve, wants_statistics
from tfmobile.steps.model import Prepared
from tfmobile.workspace import Product, sha256

MENDING = ("correct-bias-analytic", "correct-bias", "round-weights")
"""They make up for the error of each layer: beside them no layer looks as if it needed more bits."""


def rank(
    context: Context,
    recipe: Recipe,
    prepared: Prepared,
    inputs: tuple[TensorFact, ...],
    make: Callable[[Context, Recipe], Quantized],
) -> tuple[str, ...]:
    """Names of layers by falling gain per cost; none where the model cannot be simulated, which is noted."""
    plain = dataclasses.replace(
        recipe, improve=tuple(name for name in recipe.improve if name not in MENDING), gate="none"
    )
    graph, floating, content = _model(context, plain, prepared, inputs, make)
    if graph is None:
        context.note("Single layers were not given more bits: the source is a .tflite, which cannot be simulated.")
        return ()

    def compute() -> Product:
        from tfmobile.search.ranking import MOST, rank_layers

        feeds = _spread(context, inputs, MOST)
        names = rank_layers(graph, floating, content, feeds, _costs(floating, content), progress=context.progress)
        return {}, {"layers": list(names)}

    try:
        step = context.step("rank-layers", {"model": sha256(content), "float": sha256(floating)}, compute)
    except TfmobileError as error:
        context.note(f"Single layers were not given more bits: {error.what}")
        return ()
    return tuple(step.facts["layers"])


def _model(
    context: Context,
    recipe: Recipe,
    prepared: Prepared,
    inputs: tuple[TensorFact, ...],
    make: Callable[[Context, Recipe], Quantized],
) -> tuple[Graph | None, bytes, bytes]:
    """Graph, float .tflite and quantized .tflite of the recipe."""
    if wants_statistics(recipe):
        found = improve(context, recipe, prepared, inputs, context.plan.optimize.io)
        return found.graph, found.floating, found.content
    graph = prepared.rewrite.graph if prepared.rewrite is not None else None
    made = make(context, recipe)
    return graph, made.floating, made.content


def _costs(floating: bytes, content: bytes) -> Mapping[str, float]:
    """Time that a layer takes longer in float, by name."""
    return {}


def _spread(context: Context, inputs: tuple[TensorFact, ...], count: int) -> list[Mapping[str, Array]]:
    """Samples to fit on, evenly spread over them."""
    from tfmobile.datasets import feed, open_dataset
    from tfmobile.quantization import random_feeds

    plan, path = context.plan, context.plan.calibration_path
    if path is None or path == "random":
        return [values for _, values in random_feeds(inputs, count, 0)]
    most = min(count, plan.data.limit or count)
    dataset = open_dataset(dataclasses.replace(plan.data_spec(path), limit=most))
    return [feed(sample, plan.preprocessing, inputs) for _, sample in dataset.iterate()]
