"""Run both sides on the same samples, and compare every tensor that both have, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tfmobile.differences.ends import Ends, for_b
from tfmobile.differences.facts import TensorGap
from tfmobile.differences.matching import Matching
from tfmobile.differences.sides import Feeds, Side, Tensor
from tfmobile.differences.tally import Tally
from tfmobile.errors import DataError, TfmobileError
from tfmobile.graph.distance import distance, largest
from tfmobile.graph.model import Array, TensorRef
from tfmobile.progress import Progress

_CHUNK_BYTES = 128 << 20
"""About this much is fetched from each side at once: of one sample of a graph, of all samples of a .tflite."""


@dataclass(frozen=True)
class Pair:
    """One tensor of A with its counterpart."""

    ours: Tensor
    theirs: Tensor


@dataclass(frozen=True)
class Compared:
    """What running both gave, by B's tensor: tensors in B's execution order, outputs in A's; or the ``problem``."""

    tensors: Mapping[TensorRef, TensorGap] = field(default_factory=dict)
    outputs: Mapping[TensorRef, TensorGap] = field(default_factory=dict)
    discrete: frozenset[TensorRef] = frozenset()
    """B's tensors that hold whole numbers or truth values by nature."""
    not_compared: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""


class Comparer:
    """Compares two sides on samples; ``feeds`` are by A's input keys."""

    def __init__(self, a: Side, b: Side, ends: Ends, feeds: Feeds, tolerance: float, progress: Progress) -> None:
        self._a, self._b, self._ends = a, b, ends
        self._ours, self._theirs = feeds, for_b(ends, feeds)
        self._tolerance, self._progress = tolerance, progress
        self._kinds = {a.kind, b.kind}

    def compare(self, found: Matching) -> Compared:
        """Outputs first, then all other matching tensors. Raises DataError when the samples do not fit."""
        problem = self._cannot_be_fed()
        if problem:
            return Compared(problem=problem)
        ours, problem = _answers("A", self._a, [one.ref for one, _ in self._ends.outputs], self._ours)
        if problem:
            return Compared(problem=problem)
        theirs, problem = _answers("B", self._b, [two.ref for _, two in self._ends.outputs], self._theirs)
        if problem:
            return Compared(problem=problem)
        notes = tuple(filter(None, (_restless("A", ours), _restless("B", theirs))))
        outputs = {}
        for one, two in self._ends.outputs:
            tally = Tally()
            for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
                tally.see(mine[one.ref], other[two.ref])
            outputs[two.ref] = tally.gap(one.key, two.key, self._op(two.ref), self._tolerance)
        theirs_all = self._b.tensors()
        pairs = _pairs(self._a.tensors(), theirs_all, found)
        gaps = self._tensors([pair for pair in pairs if not pair.ours.hidden and not pair.theirs.hidden])
        discrete = frozenset(tensor.ref for tensor in theirs_all if tensor.discrete)
        return Compared(gaps, outputs, discrete, len(pairs) - len(gaps), notes)

    def _cannot_be_fed(self) -> str:
        if self._ends.problem:
            return f"Not run: {self._ends.problem}."
        if not self._ours:
            return "Not run: the rank of an input is not known, so no samples could be made (see --input-shape)."
        if "tflite" in self._kinds and any(value.dtype == object for value in self._ours[0].values()):
            return "Not run: a .tflite is not fed strings here."
        return ""

    def _tensors(self, pairs: Sequence[Pair]) -> dict[TensorRef, TensorGap]:
        gaps: dict[TensorRef, TensorGap] = {}
        done = 0
        held = len(self._ours) if "tflite" in self._kinds else 1
        for chunk in _chunks(pairs, _CHUNK_BYTES // held):
            self._progress("compare", done, len(pairs))
            gaps.update((pair.theirs.ref, gap) for pair, gap in self._as_far_as_possible(chunk))
            done += len(chunk)
        self._progress("compare", len(pairs), len(pairs))
        if len(self._kinds) > 1:  # a name that two formats share may stand for two things
            return {ref: gap for ref, gap in gaps.items() if gap.shape == gap.other_shape}
        return gaps

    def _as_far_as_possible(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, TensorGap]]:
        """Leave out what cannot be fetched: where a group fails, its halves are tried."""
        try:
            yield from list(self._gaps(pairs))
        except TfmobileError:
            if len(pairs) > 1:
                yield from self._as_far_as_possible(pairs[: len(pairs) // 2])
                yield from self._as_far_as_possible(pairs[len(pairs) // 2 :])

    def _gaps(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, TensorGap]]:
        tallies = [Tally() for _ in pairs]
        ours = self._a.values([pair.ours.ref for pair in pairs], self._ours)
        theirs = self._b.values([pair.theirs.ref for pair in pairs], self._theirs)
        for one, two in zip(ours, theirs, strict=True):
            for pair, tally in zip(pairs, tallies, strict=True):
                tally.see(one[pair.ours.ref], two[pair.theirs.ref])
        for pair, tally in zip(pairs, tallies, strict=True):
            yield pair, tally.gap(pair.ours.name, pair.theirs.name, self._op(pair.theirs.ref), self._tolerance)

    def _op(self, ref: TensorRef) -> str:
        return self._b.parts[ref.node].op if ref.node in self._b.parts else ""


def _answers(
    name: str, side: Side, refs: Sequence[TensorRef], feeds: Feeds
) -> tuple[list[Mapping[TensorRef, Array]], str]:
    """The outputs for each feed and for the first once more, or why there are none."""
    try:
        return list(side.values(refs, [*feeds, feeds[0]])), ""
    except DataError:
        raise
    except TfmobileError as error:
        return [], f"{name} could not be run. {error.what} {error.why}".strip()


def _restless(name: str, answers: Sequence[Mapping[TensorRef, Array]]) -> str:
    first, again = answers[0], answers[-1]
    if all(distance(first[ref], again[ref]) <= 1e-6 * largest(first[ref]) for ref in first):
        return ""
    return f"{name} answers differently each time (random ops are active), so the differences say little."


def _pairs(ours: Sequence[Tensor], theirs: Sequence[Tensor], found: Matching) -> list[Pair]:
    by_ref = {tensor.ref: tensor for tensor in ours}
    pairs = []
    for tensor in theirs:
        name = found.to_a.get(tensor.ref.node)
        mine = by_ref.get(TensorRef(name, tensor.ref.index)) if name is not None else None
        if mine is not None:
            pairs.append(Pair(mine, tensor))
    return pairs


def _chunks(pairs: Sequence[Pair], limit: int) -> Iterator[list[Pair]]:
    chunk: list[Pair] = []
    size = 0
    for pair in pairs:
        more = max(pair.ours.size_bytes, pair.theirs.size_bytes)
        if chunk and size + more > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(pair)
        size += more
    if chunk:
        yield chunk
