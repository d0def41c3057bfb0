"""Run passes one after the other, and believe none: each result is run against the original graph."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from tfmobile import registry
from tfmobile.artifacts import PassResult, Rewrite, RewriteStep
from tfmobile.graph.model import Array, Graph
from tfmobile.passes.first_difference import first_difference
from tfmobile.passes.stand_in import random_samples
from tfmobile.passes.table import DEFAULT_PASSES, PASSES
from tfmobile.passes.verification import Verdict, Verifier
from tfmobile.progress import Progress, silent


class Pass(Protocol):
    """A rewrite: a frozen dataclass whose fields are its options."""

    def apply(self, graph: Graph) -> PassResult:
        """The rewritten graph. ``graph`` itself is never changed, and no name changes the value it stands for."""
        ...


def rewrite(
    graph: Graph,
    passes: Sequence[str] = DEFAULT_PASSES,
    samples: Sequence[Mapping[str, Array]] = (),
    *,
    tolerance: float = 1e-4,
    progress: Progress = silent,
) -> Rewrite:
    """``graph`` after ``passes``, in order; each is verified on ``samples`` (feeds by input key) against ``graph``.

    A pass is refused, and the graph left as it was, when an output moves by more than ``tolerance`` relative to its
    largest absolute value, becomes NaN, or the graph no longer runs. Without samples, random ones stand in, and each
    step says so. Raises UnknownNameError for a pass, DataError for samples that do not fit, and the errors of
    ``graph.run`` when the original does not run on the samples given.
    """
    todo = [(name, _pass(name)) for name in passes]
    verifier = Verifier(graph, samples or random_samples(graph), tolerance, random=not samples)
    steps: list[RewriteStep] = []
    for position, (name, one) in enumerate(todo):
        progress("rewrite", position, len(todo))
        graph, step = _step(graph, name.replace("_", "-"), one, verifier)
        steps.append(step)
    progress("rewrite", len(todo), len(todo))
    return Rewrite(graph, tuple(steps))


def _pass(name: str) -> Pass:
    found: Pass = registry.load("pass", PASSES, name.replace("_", "-"))()
    return found


def _step(graph: Graph, name: str, one: Pass, verifier: Verifier) -> tuple[Graph, RewriteStep]:
    start = time.perf_counter()
    result = one.apply(graph)
    seconds = time.perf_counter() - start
    verdict = verifier.check(result.graph) if result.graph is not graph else verifier.unchanged()
    step = RewriteStep(
        name=name,
        nodes_before=len(graph),
        nodes_after=len(graph if verdict.refused else result.graph),
        changed=result.changed,
        skipped=result.skipped,
        max_abs=verdict.max_abs,
        max_rel=verdict.max_rel,
        tolerance=verifier.tolerance,
        samples=verdict.samples,
        seconds=seconds,
        refused=verdict.refused,
        reason=verdict.reason,
        first_difference=_first_difference(graph, result.graph, verdict, verifier) if verdict.refused else None,
    )
    return (graph if verdict.refused else result.graph), step


def _first_difference(before: Graph, after: Graph, verdict: Verdict, verifier: Verifier) -> str | None:
    if verdict.worst_sample is None:
        return None
    return first_difference(before, after, verifier.samples[verdict.worst_sample], verifier.tolerance)
