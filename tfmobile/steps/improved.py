"""Steps of a recipe with improvements: statistics, the plain quantized model, then one step an improvement tried.

Each is stored, so an interrupted run goes on after the last one that was finished. What is kept was better on samples
that nothing was fitted on.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfmobile.artifacts import Calibration, Fidelity, Improvement, ImprovementStep, Statistics, TensorFact
from tfmobile.codec import decode, encode
from tfmobile.datasets.stored import StoredSamples
from tfmobile.graph.model import Graph
from tfmobile.quantization.improvements.draft import Draft, Improved
from tfmobile.quantization.recipe import Recipe
from tfmobile.scheme.int8 import Range
from tfmobile.steps.context import Context
from tfmobile.steps.judged import Judge
from tfmobile.steps.model import Prepared, dump_graph, graph_facts, read_graph
from tfmobile.steps.samples import CalibrationSamples
from tfmobile.steps.tensor_statistics import measure
from tfmobile.workspace import Product, Step, sha256

NEEDS_GRAPH = "The source is a .tflite: improvements work on the TensorFlow graph, and only ranges were chosen."


@dataclass(frozen=True)
class ImprovedModel:
    """The quantized .tflite, and the float model and ranges that it was made from. ``graph`` None: see NEEDS_GRAPH."""

    graph: Graph | None
    floating: bytes
    calibration: Calibration
    content: bytes
    improvement: Improvement
    key: str


@dataclass(frozen=True)
class _State:
    """A draft without its statistics: those of ``measured``, a float .tflite with the same operators, are its own.

    ``exact``: see ``Draft``.
    """

    graph: Graph | None
    exact: Graph | None
    floating: bytes
    measured: bytes
    ranges: Mapping[str, Range]
    content: bytes
    key: str


def wants_statistics(recipe: Recipe) -> bool:
    """Whether the recipe needs more than the smallest and the largest value of each tensor."""
    return bool(recipe.improve) or recipe.ranges != "min-max"


def improve(
    context: Context, recipe: Recipe, prepared: Prepared, inputs: tuple[TensorFact, ...], io: str
) -> ImprovedModel:
    """Quantize by ``recipe``, then try its improvements one after the other."""
    with CalibrationSamples(context, inputs) as samples:
        line = _Line(context, recipe, samples, io, Judge(prepared.floating, samples, context.progress))
        return line.run(prepared)


class _Line:
    """One run through the improvements of a recipe."""

    def __init__(self, context: Context, recipe: Recipe, samples: CalibrationSamples, io: str, judge: Judge) -> None:
        self._context, self._recipe, self._samples, self._io, self._judge = context, recipe, samples, io, judge
        self._measured: dict[bytes, tuple[Statistics, Step]] = {}

    def run(self, prepared: Prepared) -> ImprovedModel:
        graph = prepared.rewrite.graph if prepared.rewrite is not None else None
        state, statistics = self._start(graph, prepared)
        steps: list[ImprovementStep] = []
        names = self._recipe.improve if graph is not None else ()
        for name in names:
            state, step = self._try(name, state)
            steps.append(step)
        if graph is None and self._recipe.improve:
            self._context.note(NEEDS_GRAPH)
        set_aside = (*self._samples.set_aside, *statistics.set_aside)
        self._context.note(*set_aside, *statistics.notes)
        improvement = Improvement(
            steps=tuple(steps),
            fitted_on=len(statistics.samples),
            held_back=self._samples.held_count,
            simulation_agreement=self._simulated(state) if graph is not None else None,
            set_aside=set_aside,
        )
        calibration = Calibration(
            ranges=dict(sorted(state.ranges.items())),
            samples=len(statistics.samples),
            source=self._samples.source,
            random=self._samples.random,
            notes=self._samples.notes,
        )
        return ImprovedModel(state.graph, state.floating, calibration, state.content, improvement, state.key)

    def _start(self, graph: Graph | None, prepared: Prepared) -> tuple[_State, Statistics]:
        from tfmobile.quantization.ranges import choose

        statistics, step = self._statistics(prepared.floating)
        ranges = choose(statistics, self._recipe.ranges)
        content, quantized = self._quantize(prepared.floating, ranges, step.key)
        return _State(graph, graph, prepared.floating, prepared.floating, ranges, content, quantized.key), statistics

    def _statistics(self, floating: bytes) -> tuple[Statistics, Step]:
        """Read once for all improvements that leave the activations where they are."""
        if floating not in self._measured:
            self._measured[floating] = measure(self._context, floating, self._samples)
        return self._measured[floating]

    def _quantize(self, floating: bytes, ranges: Mapping[str, Range], key: Any) -> tuple[bytes, Step]:
        def compute() -> Product:
            return {"model.tflite": self._quantized(floating, ranges)}, {"backend": self._recipe.backend}

        plain = dataclasses.replace(self._recipe, improve=())
        options = {"model": sha256(floating), "recipe": encode(plain), "io": self._io, "ranges": key}
        step = self._context.step("quantize", options, compute)
        return step.blobs["model.tflite"], step

    def _quantized(self, floating: bytes, ranges: Mapping[str, Range]) -> bytes:
        from tfmobile.quantization import quantize

        calibration = Calibration(ranges, self._samples.fit_count, self._samples.source)
        return quantize(floating, self._recipe, calibration, io=self._io)

    def _try(self, name: str, state: _State) -> tuple[_State, ImprovementStep]:
        assert state.graph is not None

        def compute() -> Product:
            started = time.perf_counter()
            found, step = self._attempt(name, state)
            step = dataclasses.replace(step, seconds=time.perf_counter() - started)
            return self._product(found, step)

        options = {
            "draft": state.key,
            "improvement": name,
            "samples": self._samples.key,
            "gate": self._recipe.gate,
            "float": self._judge.key,
        }
        stored = self._context.step(f"improve-{name}", options, compute)
        return self._read(stored, state), decode(ImprovementStep, stored.facts["step"])

    def _attempt(self, name: str, state: _State) -> tuple[_State | None, ImprovementStep]:
        """The state after the improvement, or None when it goes back."""
        from tfmobile.quantization.improvements.table import IMPROVEMENTS
        from tfmobile.registry import load

        assert state.graph is not None
        improver = load("improvement", IMPROVEMENTS, name)
        statistics = self._translated(state)
        draft = Draft(state.graph, state.floating, statistics, state.ranges, state.content, self._recipe, state.exact)
        found: Improved = improver(draft, self._used(statistics), self._context.progress)
        if found.graph is None and found.ranges is None:
            return None, _step(name, found, False, "There was nothing to change.")
        after = self._applied(state, found)
        if self._recipe.gate == "none" or not self._samples.held_count:
            return after, _step(name, found, True, "Kept without a check, as the recipe says.")
        helps, why = self._judge.helps(state.content, after.content)
        before = self._judge.fidelity(state.content), self._judge.fidelity(after.content)
        return (after if helps else None), _step(name, found, helps, why, *before)

    def _used(self, statistics: Statistics) -> StoredSamples:
        """The samples to fit on, without those that were set aside for what they do inside the model."""
        fit, used = self._samples.fit, set(statistics.samples)
        return fit.subset(index for index, name in enumerate(fit.names) if name in used)

    def _applied(self, state: _State, found: Improved) -> _State:
        from tfmobile.conversion import convert
        from tfmobile.quantization.ranges import choose
        from tfmobile.quantization.tensor_keys import translation

        assert state.graph is not None
        graph, floating, ranges = state.graph, state.floating, {**state.ranges, **(found.ranges or {})}
        measured: bytes | None = state.measured
        if found.graph is not None:
            graph, floating = found.graph, convert(found.graph)
            keys = translation(state.floating, floating)
            ranges = {keys[key]: value for key, value in ranges.items() if key in keys} if keys else {}
            measured = state.measured if keys and not found.moves_activations else None
        if measured is None:
            measured = floating
            ranges = {**choose(self._statistics(floating)[0], self._recipe.ranges), **(found.ranges or {})}
        exact = state.exact if found.graph is None or found.compensates else graph
        return _State(graph, exact, floating, measured, ranges, self._quantized(floating, ranges), "")

    def _translated(self, state: _State) -> Statistics:
        """Statistics of the draft, under its own keys."""
        from tfmobile.quantization.tensor_keys import translation

        statistics, _ = self._statistics(state.measured)
        keys = translation(state.measured, state.floating)
        assert keys is not None, "a float model with other operators is measured anew"
        tensors = {keys[key]: one for key, one in statistics.tensors.items() if key in keys}
        return dataclasses.replace(statistics, tensors=tensors)

    def _product(self, found: _State | None, step: ImprovementStep) -> Product:
        if found is None or found.graph is None:
            return {}, {"step": encode(step)}
        blobs = {**dump_graph(found.graph), "float.tflite": found.floating, "model.tflite": found.content}
        blobs["measured.tflite"] = found.measured
        return blobs, {
            "step": encode(step),
            "graph": graph_facts(found.graph),
            "ranges": encode(found.ranges),
            "is_exact": found.exact is found.graph,
        }

    def _read(self, stored: Step, before: _State) -> _State:
        if "model.tflite" not in stored.blobs:
            return before
        graph = read_graph(stored, stored.facts["graph"])
        return _State(
            graph,
            graph if stored.facts["is_exact"] else before.exact,
            stored.blobs["float.tflite"],
            stored.blobs["measured.tflite"],
            {key: (low, high) for key, (low, high) in stored.facts["ranges"].items()},
            stored.blobs["model.tflite"],
            stored.key,
        )

    def _simulated(self, state: _State) -> float | None:
        def compute() -> Product:
            return {}, {"agreement": self._judge.simulation_agreement(state.graph, state.content)}

        options = {"model": sha256(state.content), "samples": self._samples.key}
        step = self._context.step("simulate", options, compute)
        agreement: float | None = step.facts["agreement"]
        return agreement


def _step(
    name: str,
    found: Improved,
    kept: bool,
    reason: str,
    before: Fidelity | None = None,
    after: Fidelity | None = None,
) -> ImprovementStep:
    return ImprovementStep(name, kept, reason, found.changed, found.skipped, before, after, 0.0)
