"""Steps on the model before quantization: load, rewrite, convert to a float .tflite, compare with the original."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmobile.artifacts import Difference, Rewrite, RewriteStep, SourceModel
from tfmobile.codec import decode, encode
from tfmobile.errors import ModelError, UnsupportedError, VerificationError
from tfmobile.fingerprint import of_model
from tfmobile.graph.model import Array, Graph, TensorSpec
from tfmobile.steps.context import Context
from tfmobile.steps.difference import difference
from tfmobile.steps.opening import open_source
from tfmobile.workspace import Product, Step


@dataclass(frozen=True)
class Prepared:
    """The model before quantization, as float .tflite files; ``rewrite`` is None when the source is a .tflite."""

    rewrite: Rewrite | None
    original: bytes
    floating: bytes
    key: str


CONVERSION_TOLERANCE = 1e-2
"""Relative to the largest output; beyond it the float .tflite does not compute the same function."""


def load(context: Context, *, cache: bool = True) -> tuple[SourceModel, Step]:
    """The source model, frozen."""
    options = context.plan.model
    path = options.path or ""
    content = of_model(path)

    def compute() -> Product:
        return dump_source(open_source(path, options, context.trust))

    # A model opened with --trust is not reused by a run without it.
    key = {"content": content, "options": encode(options), "trust": context.trust}
    step = context.step("load", key, compute, cache=cache and bool(content))
    source = read_source(step)
    context.note(*source.notes)
    return source, step


def prepare(
    context: Context, source: SourceModel, loaded: Step, feeds: Sequence[Mapping[str, Array]], feeds_key: Any
) -> Prepared:
    """Rewrite the graph and convert it, and the original, to float .tflite; a .tflite is only read back to float."""
    if source.graph is None:
        floating, step = _restore(context, source, loaded)
        return Prepared(None, source.tflite or b"", floating, step.key)
    rewritten, changed = rewrite(context, source, loaded, feeds, feeds_key)
    floating, step = convert(context, "float", rewritten.graph, changed.key)
    original = convert_original(context, source, loaded, floating)
    return Prepared(rewritten, original, floating, step.key)


def _restore(context: Context, source: SourceModel, loaded: Step) -> tuple[bytes, Step]:
    content = source.tflite or b""

    def compute() -> Product:
        from tfmobile.conversion import restore_float

        return {"model.tflite": restore_float(content)}, {}

    step = context.step("restore-float", {"load": loaded.key}, compute)
    return step.blobs["model.tflite"], step


def rewrite(
    context: Context, source: SourceModel, loaded: Step, feeds: Sequence[Mapping[str, Array]], feeds_key: Any
) -> tuple[Rewrite, Step]:
    """The graph after the passes, each verified against the original."""
    from tfmobile.passes import BAKED_PASSES, DEFAULT_PASSES

    graph = source.graph
    assert graph is not None
    options = context.plan.optimize
    names = options.passes or (BAKED_PASSES if options.bake_preprocessing else DEFAULT_PASSES)

    def compute() -> Product:
        from tfmobile.passes import rewrite as apply_passes

        result = apply_passes(graph, names, feeds, progress=context.progress)
        worst = max((item.max_rel for item in result.steps if item.max_rel is not None), default=None)
        facts = {"graph": graph_facts(result.graph), "steps": encode(result.steps), "max_rel": worst}
        return dump_graph(result.graph), facts

    step = context.step("rewrite", {"load": loaded.key, "passes": list(names), "samples": feeds_key}, compute)
    steps = tuple(decode(RewriteStep, item) for item in step.facts["steps"])
    context.note(*(f"The pass {item.name} was refused: {item.reason}" for item in steps if item.refused))
    return Rewrite(read_graph(step, step.facts["graph"]), steps), step


def convert(context: Context, name: str, graph: Graph, key: str) -> tuple[bytes, Step]:
    """The graph as a float .tflite."""

    def compute() -> Product:
        from tfmobile.conversion import convert as to_tflite

        return {"model.tflite": to_tflite(graph)}, {}

    step = context.step(f"convert-{name}", {"graph": key}, compute)
    return step.blobs["model.tflite"], step


def convert_original(context: Context, source: SourceModel, loaded: Step, fallback: bytes) -> bytes:
    """The original as a float .tflite; where it does not convert, the rewritten one stands in, and that is said."""
    assert source.graph is not None
    try:
        return convert(context, "original", source.graph, loaded.key)[0]
    except UnsupportedError as error:
        context.note(
            f"The original does not convert to .tflite as it is ({error.what}); "
            "the rewritten float model stands in for it."
        )
        return fallback


def compare(
    context: Context,
    source: SourceModel,
    floating: bytes,
    optimized: bytes,
    feeds: Sequence[Mapping[str, Array]],
    key: Any,
) -> tuple[Difference, ...]:
    """Outputs of the float .tflite against the original, and of the optimized .tflite against the float one."""

    def compute() -> Product:
        found = _differences(source, floating, optimized, feeds)
        return {}, {"differences": encode(found)}

    step = context.step("compare", {"models": key}, compute)
    differences = tuple(decode(Difference, item) for item in step.facts["differences"])
    first = differences[0]
    if source.graph is not None and not first.max_rel <= CONVERSION_TOLERANCE:
        raise VerificationError(
            "The float .tflite does not answer like the original model.",
            why=f"The largest relative difference is {first.max_rel:.3g} on {first.samples} samples; "
            f"{CONVERSION_TOLERANCE:g} is allowed.",
            fixes=["Run with fewer passes (--passes strip-unused) to find the cause, and report the model."],
        )
    return differences


def _differences(
    source: SourceModel, floating: bytes, optimized: bytes, feeds: Sequence[Mapping[str, Array]]
) -> list[Difference]:
    from tfmobile import runtime

    float_outputs = runtime.run(floating, feeds)
    found: list[Difference] = []
    if source.graph is not None:
        from tfmobile.graph.run import Runner

        with Runner(source.graph) as runner:
            original = [runner.run(feed) for feed in feeds]
        found.append(difference("float .tflite against the original", original, float_outputs))
    found.append(difference("optimized .tflite against the float one", float_outputs, runtime.run(optimized, feeds)))
    return found


def dump_source(source: SourceModel) -> Product:
    """The model as the blobs and facts of a step."""
    facts = encode(dataclasses.replace(source, graph=None, tflite=None))
    if source.graph is None:
        assert source.tflite is not None
        return {"model.tflite": source.tflite}, facts
    return dump_graph(source.graph), {**facts, "graph": graph_facts(source.graph)}


def read_source(step: Step) -> SourceModel:
    """The model in a step; raises ModelError."""
    facts = dict(step.facts)
    graph = facts.pop("graph", None)
    source = decode(SourceModel, facts)
    if "model.tflite" in step.blobs:
        return dataclasses.replace(source, tflite=step.blobs["model.tflite"])
    if graph is None:
        raise ModelError("The stored model is incomplete.", fixes=["Delete the .work folder and run again."])
    return dataclasses.replace(source, graph=read_graph(step, graph))


def dump_graph(graph: Graph) -> dict[str, bytes]:
    """The graph as a blob; ``graph_facts`` are needed to read it back."""
    from tfmobile.graph.graphdef import serialize

    return {"graph.pb": serialize(graph)}


def graph_facts(graph: Graph) -> dict[str, Any]:
    """Inputs and outputs."""
    return {"inputs": encode(graph.inputs), "outputs": encode(graph.outputs)}


def read_graph(step: Step, facts: Mapping[str, Any]) -> Graph:
    """The graph in a step."""
    from tfmobile.graph.graphdef import from_graph_def

    inputs = [decode(TensorSpec, item) for item in facts["inputs"]]
    outputs = [decode(TensorSpec, item) for item in facts["outputs"]]
    return from_graph_def(step.blobs["graph.pb"], inputs, outputs)
