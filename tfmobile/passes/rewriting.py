"""Run passes one after the other, and believe none: each result is run against the original graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tfmobile.artifacts import PassResult, Rewrite, RewriteStep
from tfmobile.errors import TfmobileError, VerificationError
from tfmobile.graph.model import Array, Graph
from tfmobile.graph.samples import random_samples
from tfmobile.passes.calls import Planned, plan_passes
from tfmobile.passes.first_difference import first_difference
from tfmobile.passes.table import DEFAULT_PASSES
from tfmobile.passes.verification import Verdict, Verifier
from tfmobile.progress import Progress, silent

Observe: TypeAlias = Callable[[RewriteStep, Graph], None]
"""Told of each step when it is done, with the graph as it is then."""


def rewrite(
    graph: Graph,
    passes: str | Sequence[str] = DEFAULT_PASSES,
    samples: Sequence[Mapping[str, Array]] = (),
    *,
    tolerance: float = 1e-4,
    verify: bool = True,
    strict: bool = False,
    observe: Observe | None = None,
    progress: Progress = silent,
) -> Rewrite:
    """``graph`` after ``passes``, in order; each is verified on ``samples`` (feeds by input key) against ``graph``.

    ``passes`` are names, or calls with arguments: ``round_weights(num_steps=16)``. A pass is refused, and the graph
    left as it was, when it fails, when an output moves by more than ``tolerance`` relative to its largest absolute
    value, becomes NaN, or when the graph no longer runs. ``strict`` raises instead, unless the pass is called with
    ``ignore_errors=true``. Without samples, random ones stand in, and each step says so. Without ``verify`` nothing is
    run, which each step says too.

    Raises PassSyntaxError and UnknownNameError for a pass, DataError for samples that do not fit, and the errors of
    ``graph.run`` when the original does not run on the samples given.
    """
    todo = plan_passes(passes)
    verifier = Verifier(graph, samples or random_samples(graph), tolerance, random=not samples) if verify else None
    steps: list[RewriteStep] = []
    for position, planned in enumerate(todo):
        progress("rewrite", position, len(todo))
        graph, step = _step(graph, planned, verifier, tolerance, strict)
        steps.append(step)
        if observe is not None:
            observe(step, graph)
    progress("rewrite", len(todo), len(todo))
    return Rewrite(graph, tuple(steps))


def _step(
    graph: Graph, planned: Planned, verifier: Verifier | None, tolerance: float, strict: bool
) -> tuple[Graph, RewriteStep]:
    against = verifier.against if verifier else ""
    result, verdict, seconds = _applied(graph, planned, verifier, strict)
    refused = verdict.refused
    step = RewriteStep(
        name=planned.one.name,
        nodes_before=len(graph),
        nodes_after=len(graph if refused else result.graph),
        changed=result.changed,
        skipped=result.skipped,
        max_abs=verdict.max_abs,
        max_rel=verdict.max_rel,
        tolerance=tolerance,
        samples=verdict.samples,
        seconds=seconds,
        refused=refused,
        reason=verdict.reason,
        first_difference=_first_difference(graph, result.graph, verdict, verifier) if refused else None,
        call=planned.call,
        keeps_answer=planned.one.keeps_answer,
        against=against,
        drift=verdict.drift,
    )
    if refused and strict and not planned.ignore_errors:
        raise _refusal(step)
    return (graph if refused else result.graph), step


def _applied(
    graph: Graph, planned: Planned, verifier: Verifier | None, strict: bool
) -> tuple[PassResult, Verdict, float]:
    start = time.perf_counter()
    try:
        result = planned.one.apply(graph)
    except TfmobileError as error:
        if strict and not planned.ignore_errors:
            raise
        reason = f"It failed. {error.what} {error.why}".strip()
        return PassResult(graph), Verdict(None, None, 0, refused=True, reason=reason), time.perf_counter() - start
    seconds = time.perf_counter() - start
    if verifier is None:
        return result, Verdict(None, None, 0, reason="Not verified, as asked."), seconds
    if result.graph is graph:
        return result, verifier.unchanged(), seconds
    one = planned.one
    return result, verifier.check(graph, result, one.name, keeps_answer=one.keeps_answer), seconds


def _refusal(step: RewriteStep) -> VerificationError:
    where = f" First difference: {step.first_difference}" if step.first_difference else ""
    return VerificationError(
        f"The pass {step.name} was refused.",
        why=f"{step.reason}{where}",
        fixes=[
            f"Go on without it: {step.name}(ignore_errors=true).",
            "Leave it out of the list.",
            "Allow a larger difference with --tolerance, if that is meant.",
        ],
    )


def _first_difference(before: Graph, after: Graph, verdict: Verdict, verifier: Verifier | None) -> str | None:
    if verdict.worst_sample is None or verifier is None:
        return None
    return first_difference(before, after, verifier.samples[verdict.worst_sample], verifier.tolerance)
