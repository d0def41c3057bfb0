"""The layers of a candidate in the order in which more bits pay, as a step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from tfmobile.artifacts import TensorFact
from tfmobile.errors import TfmobileError, UnsupportedError
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.by_recipe import Quantized
from tfmobile.steps.context import Context, feeds_at
from tfmobile.steps.improved import improve, wants_statistics
from tfmobile.steps.model import Prepared
from tfmobile.workspace import Product, sha256

TIMING_S = 10.0
"""Seconds for the timing of all layers, in float and in 8 bits."""
SAMPLES_FOR_ERRORS = 8
MENDING = ("correct-bias-analytic", "correct-bias", "round-weights")
"""They make up for the error of each layer: beside them no layer looks as if it needed more bits."""


def rank(
    context: Context,
    recipe: Recipe,
    prepared: Prepared,
    inputs: tuple[TensorFact, ...],
    make: Callable[[Context, Recipe], Quantized],
) -> tuple[str, ...]:
    """Names of layers by falling gain per cost; what had to be left out of account is noted."""
    plain = dataclasses.replace(
        recipe, improve=tuple(name for name in recipe.improve if name not in MENDING), gate="none"
    )
    graph, floating, content = _model(context, plain, prepared, inputs, make)

    def compute() -> Product:
        costs, notes = _costs(context, floating, content)
        names, more = _ranked(context, graph, floating, content, inputs, costs)
        return {}, {"layers": list(names), "costs": dict(costs), "notes": [*notes, *more]}

    options = {"model": sha256(content), "float": sha256(floating), "for": context.plan.search.objective}
    facts = context.step("rank-layers", options, compute).facts
    context.note(*facts["notes"])
    return tuple(facts["layers"])


def _ranked(
    context: Context,
    graph: Graph | None,
    floating: bytes,
    content: bytes,
    inputs: tuple[TensorFact, ...],
    costs: Mapping[str, float],
) -> tuple[tuple[str, ...], list[str]]:
    """The order, and notes."""
    from tfmobile.quantization import layer_errors
    from tfmobile.search.ranking import MOST, rank_by_errors, rank_layers

    feeds = _spread(context, inputs, MOST)
    why = "the source is a .tflite"
    if graph is not None:
        try:
            return rank_layers(graph, floating, content, feeds, costs, progress=context.progress), []
        except UnsupportedError as error:
            why = error.what
    errors = layer_errors(floating, content, feeds[:SAMPLES_FOR_ERRORS])
    note = f"Layers for more bits were chosen by the error of their outputs, not by what they do to the answer: {why}."
    return rank_by_errors(floating, errors, costs), [note.replace("..", ".")]


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


def _costs(context: Context, floating: bytes, content: bytes) -> tuple[Mapping[str, float], list[str]]:
    """By layer, what its higher precision costs: measured time, or bytes where size is the objective; as parts of all.

    Without a measurement all layers cost the same, which the notes say.
    """
    from tfmobile.benchmarking import float_costs
    from tfmobile.search.ranking import more_bytes, more_time

    plan = context.plan
    if plan.search.objective == "size":
        return more_bytes(floating), []
    try:
        found = float_costs(
            floating,
            content,
            threads=plan.benchmark.threads[0],
            xnnpack=plan.benchmark.xnnpack != "off",
            budget_s=TIMING_S,
            progress=context.progress,
        )
    except TfmobileError as error:
        return {}, [f"Layers could not be timed ({error.what}): all count as equally slow in float."]
    return more_time(found), []


def _spread(context: Context, inputs: tuple[TensorFact, ...], count: int) -> list[Mapping[str, Array]]:
    """Samples to fit on, evenly spread over them."""
    path = context.plan.calibration_path or "random"
    return [feed for _, _, feed in feeds_at(context.plan, path, inputs, most=count)[1]]
