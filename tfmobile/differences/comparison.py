"""Two models side by side: match, compare the structure, run both, find where they part."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from tfmobile.artifacts import SourceModel, TensorFact
from tfmobile.differences.divergence import Search
from tfmobile.differences.ends import Ends, input_facts, pair_ends, random_feeds
from tfmobile.differences.facts import EndFact, ModelDiff, ModelFact, Numbers, Structure, TensorGap
from tfmobile.differences.graph_side import GraphSide
from tfmobile.differences.matching import Matching, inverse, match, match_names
from tfmobile.differences.numbers import Compared, Comparer
from tfmobile.differences.sides import End, Feeds, Side
from tfmobile.differences.strangers import strangers
from tfmobile.differences.structure import across_kinds, structure
from tfmobile.differences.tflite_side import TFLiteSide
from tfmobile.errors import DataError
from tfmobile.graph.model import Array, TensorRef
from tfmobile.progress import Progress, silent

RANDOM = "random"

MakeFeeds = Callable[[Sequence[TensorFact]], Sequence[Mapping[str, Array]]]
"""Samples for these inputs, each an array by input name."""


def diff_models(
    a: SourceModel,
    b: SourceModel,
    *,
    samples: int = 2,
    tolerance: float = 1e-4,
    data: str = RANDOM,
    feeds: MakeFeeds | None = None,
    progress: Progress = silent,
) -> ModelDiff:
    """What changed from ``a`` to ``b``, each a graph or a .tflite, and where their numbers first part.

    Both run on ``samples`` random samples, or on what ``feeds`` makes of ``data``, its name. Raises DataError when
    those do not fit, ModelError when a .tflite is damaged; a model that does not run is told in ``numbers.reason``.
    """
    with contextlib.closing(_side(a)) as one, contextlib.closing(_side(b)) as two:
        ends = pair_ends((one.inputs, one.outputs), (two.inputs, two.outputs))
        found = _matched(one, two, ends)
        changes = structure(one, two, found) if one.kind == two.kind else across_kinds(one, two, found)
        given: Feeds = ()
        if not ends.problem:
            given = random_feeds(ends, samples) if feeds is None else feeds(input_facts(ends))
        compared = _compared(Comparer(one, two, ends, given, tolerance, progress), found, random=feeds is None)
    gaps = _in_order(two, compared)
    odd = strangers(two, gaps, compared.discrete, across_kinds=one.kind != two.kind) - compared.outputs.keys()
    gaps = {ref: gap for ref, gap in gaps.items() if ref not in odd}
    numbers = Numbers(
        samples=0 if compared.problem else len(given),
        source=data,
        tolerance=tolerance,
        outputs=tuple(compared.outputs.values()),
        tensors=tuple(gaps.values()),
        first=Search(two, ends, found, changes, gaps).first(),
        not_compared=compared.not_compared + len(odd),
        reason=compared.problem,
    )
    notes = (*_notes(a, b), *ends.notes, *compared.notes, *_left_out(compared.not_compared, len(odd)))
    if one.hidden or two.hidden:
        notes += ("Functions, and the insides of loops and branches that are kept in subgraphs, are not compared.",)
    return ModelDiff(_fact(a, one), _fact(b, two), False, changes, numbers, notes)


def identical(a: ModelFact, b: ModelFact, tolerance: float) -> ModelDiff:
    """The result for two files of the same content, of which nothing has to be read."""
    return ModelDiff(a, b, True, Structure(0, (), (), (), (), ()), Numbers(0, RANDOM, tolerance))


def _side(source: SourceModel) -> Side:
    if source.tflite is not None:
        return TFLiteSide(source.tflite, f"'{source.path}'")
    assert source.graph is not None
    return GraphSide(source.graph)


def _matched(a: Side, b: Side, ends: Ends) -> Matching:
    if a.kind == b.kind:
        return match(a, b, [(one.ref.node, two.ref.node) for one, two in (*ends.inputs, *ends.outputs)])
    return match_names(a, b) if a.kind == "graph" else inverse(match_names(b, a))


def _compared(comparer: Comparer, found: Matching, *, random: bool) -> Compared:
    try:
        return comparer.compare(found)
    except DataError as error:
        if not random:
            raise
        return Compared(problem=f"Random samples do not fit: {error.what}")


def _in_order(b: Side, compared: Compared) -> dict[TensorRef, TensorGap]:
    """All tensors and the outputs, which may have no other counterpart, in B's execution order."""
    position = {name: index for index, name in enumerate(b.parts)}
    gaps = {
        ref: dataclasses.replace(gap, other=str(ref))
        for ref, gap in compared.outputs.items()
        if ref.node in position and not b.is_constant(ref.node)
    }
    gaps.update(compared.tensors)
    return {ref: gaps[ref] for ref in sorted(gaps, key=lambda ref: (position[ref.node], ref.index))}


def _notes(a: SourceModel, b: SourceModel) -> tuple[str, ...]:
    sides = dict.fromkeys(a.notes, "A")
    for note in b.notes:
        sides[note] = "A and B" if note in sides else "B"
    return tuple(f"{side}: {note}" for note, side in sides.items())


def _left_out(hidden: int, odd: int) -> list[str]:
    notes = []
    if hidden:
        notes.append(
            f"{_tensors(hidden)} left out: in branches or loops, or not to be fetched, or of different shapes."
        )
    if odd:
        notes.append(
            f"{_tensors(odd)} left out: they differ, and all that is computed from them agrees, so another value goes "
            "by their name or stands in their place."
        )
    return notes


def _tensors(count: int) -> str:
    return "1 matching tensor was" if count == 1 else f"{count:,} matching tensors were"


def _fact(source: SourceModel, side: Side) -> ModelFact:
    return ModelFact(
        path=source.path,
        format=source.format,
        summary=source.summary,
        sha256=source.sha256,
        size_bytes=source.size_bytes,
        nodes=side.count(),
        inputs=tuple(map(_end, side.inputs)),
        outputs=tuple(map(_end, side.outputs)),
    )


def _end(end: End) -> EndFact:
    return EndFact(end.key, str(end.ref), end.dtype, end.shape)
