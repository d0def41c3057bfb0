"""Models that bring their ranges as FakeQuant nodes (trained so, or placed by quantize-nodes): used, not calibrated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfmobile.artifacts import SourceModel
from tfmobile.graph.model import Array, Graph
from tfmobile.quantization.recipe import Recipe
from tfmobile.steps.by_recipe import Quantized
from tfmobile.steps.context import Context
from tfmobile.steps.model import dump_source, read_source, rewrite
from tfmobile.workspace import Product, Step

_PREFIX = "FakeQuantWithMinMax"


def brings_ranges(source: SourceModel) -> bool:
    """Whether the graph has FakeQuant nodes."""
    return source.graph is not None and any(node.op.startswith(_PREFIX) for node in source.graph)


def float_twin(context: Context, source: SourceModel, loaded: Step, recipe: Recipe) -> tuple[SourceModel, Step]:
    """The model without its FakeQuant nodes: what the result is compared with, and what other recipes start from."""
    graph = source.graph
    assert graph is not None
    kinds = sorted({node.op for node in graph if node.op.startswith(_PREFIX)})
    call = f"remove-nodes({', '.join(f'op={kind}' for kind in kinds)}, max_inputs=3)"

    def compute() -> Product:
        from tfmobile.passes import rewrite as run_passes

        return dump_source(dataclasses.replace(source, graph=run_passes(graph, call, verify=False).graph))

    if uses_ranges(recipe):
        context.note(
            "The model has FakeQuant nodes: its own ranges are used, and nothing was calibrated. The original that it "
            "is compared with is the model without them, in float."
        )
    else:
        context.note(f"The model has FakeQuant nodes, whose ranges the recipe {recipe.name} does not use.")
    step = context.step("float-twin", {"load": loaded.key, "pass": call}, compute)
    return read_source(step), step


def uses_ranges(recipe: Recipe) -> bool:
    """Whether the recipe makes what FakeQuant nodes stand for."""
    return recipe.activations == "int8"


def quantize(
    context: Context,
    source: SourceModel,
    loaded: Step,
    feeds: Sequence[Mapping[str, Array]],
    feeds_key: Any,
    recipe: Recipe,
    floating: bytes,
) -> Quantized:
    """The integer .tflite of the graph with its FakeQuant nodes, after the passes; ``floating`` is its float twin."""
    rewritten, changed = rewrite(context, source, loaded, feeds, feeds_key)
    io = context.plan.optimize.io or recipe.io
    content, step = _convert(context, rewritten.graph, io, changed.key)
    return Quantized(content, floating, None, None, step.key)


def _convert(context: Context, graph: Graph, io: str, key: str) -> tuple[bytes, Step]:
    def compute() -> Product:
        from tfmobile.conversion import convert

        return {"model.tflite": convert(graph, own_ranges=io)}, {"backend": "converter", "io": io}

    step = context.step("convert-own-ranges", {"graph": key, "io": io}, compute)
    return step.blobs["model.tflite"], step
