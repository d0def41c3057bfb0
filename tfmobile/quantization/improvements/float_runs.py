"""Run the float graph over samples: several at once where that gives the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from tfmobile.errors import TfmobileError
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.graph.run import Runner
from tfmobile.progress import Progress, silent
from tfmobile.quantization.improvements.draft import Draft, Samples
from tfmobile.quantization.simulation.batching import batchable

BATCH = 16
MOST_SAMPLES = 512
"""Extremes are measured over so many samples at most."""
MOST_SAMPLED = 128
"""Values are taken out of so many."""


class Used:
    """The samples that a draft's statistics used; those that they set aside are unlike all others."""

    def __init__(self, draft: Draft, samples: Samples) -> None:
        known = set(draft.statistics.samples)
        places = [place for place, name in enumerate(samples.names) if name in known]
        self._samples, self._places = samples, places or list(range(len(samples)))

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each."""
        return tuple(self._samples.names[place] for place in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def feed(self, index: int) -> dict[str, Array]:
        """The arrays of one sample, by input key."""
        return self._samples.feed(self._places[index])

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        """All samples in order, ``size`` at a time, joined along the first axis."""
        for start in range(0, len(self), size):
            feeds = [self.feed(index) for index in range(start, min(start + size, len(self)))]
            yield {key: np.concatenate([feed[key] for feed in feeds]) for key in feeds[0]}


class FloatRuns:
    """A float graph in a session; ``fetched`` gives tensors for the samples, batch by batch. A context manager."""

    def __init__(self, graph: Graph, samples: Samples) -> None:
        self._samples = samples
        relaxed = batchable(graph) if len(samples) > 1 else None
        if relaxed is not None and _independent(graph, relaxed, samples):
            self._runner, self._batch = Runner(relaxed), BATCH
        else:
            self._runner, self._batch = Runner(graph), 1

    def fetched(
        self, refs: Sequence[TensorRef], limit: int = MOST_SAMPLES, progress: Progress = silent, batch: int = BATCH
    ) -> Iterator[Mapping[str, Array]]:
        """``refs`` by ``str(ref)``, for the first ``limit`` samples."""
        total = min(limit, len(self._samples))
        size = min(self._batch, batch)
        for place, feeds in enumerate(self._samples.batches(size)):
            done = place * size
            if done >= total:
                return
            progress("measure", done, total)
            kept = {key: value[: total - done] for key, value in feeds.items()} if size > 1 else feeds
            yield self._runner.run(kept, refs)

    def close(self) -> None:
        """Free the session."""
        self._runner.close()

    def __enter__(self) -> FloatRuns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _independent(graph: Graph, relaxed: Graph, samples: Samples) -> bool:
    """Whether two samples at once give what each alone gives."""
    apart = [samples.feed(0), samples.feed(1)]
    both = {key: np.concatenate([one[key] for one in apart]) for key in apart[0]}
    try:
        with Runner(relaxed) as together, Runner(graph) as alone:
            found, expected = together.run(both), [alone.run(one) for one in apart]
    except TfmobileError:
        return False
    joined = {key: np.concatenate([one[key] for one in expected]) for key in found}
    return all(
        found[key].shape == joined[key].shape and np.allclose(found[key], joined[key], rtol=1e-3, atol=1e-4)
        for key in found
    )


@dataclass(frozen=True)
class Extremes:
    """Of each channel of a tensor, over samples: smallest and largest value, and how often it lies above 6."""

    lows: Array
    highs: Array
    above_six: Array


def channel_extremes(
    graph: Graph, refs: Sequence[TensorRef], samples: Samples, progress: Progress = silent
) -> dict[TensorRef, Extremes]:
    """Measure tensors whose last axis are the channels: [channels] each. At most MOST_SAMPLES samples are used."""
    wanted = list(dict.fromkeys(refs))
    if not wanted:
        return {}
    watched, nodes = _watched(graph, wanted)
    seen: dict[TensorRef, list[tuple[Array, ...]]] = {ref: [] for ref in wanted}
    with FloatRuns(watched, samples) as runs:
        for values in runs.fetched([one for found in nodes.values() for one in found], progress=progress):
            for ref, found in nodes.items():
                seen[ref].append(tuple(values[str(one)] for one in found))
    return {ref: _joined(rows) for ref, rows in seen.items()}


def _joined(rows: Sequence[tuple[Array, ...]]) -> Extremes:
    lows, highs, above = (np.stack(column).astype(np.float64) for column in zip(*rows, strict=True))
    return Extremes(lows.min(axis=0), highs.max(axis=0), above.mean(axis=0))


def _watched(graph: Graph, refs: Sequence[TensorRef]) -> tuple[Graph, dict[TensorRef, tuple[TensorRef, ...]]]:
    """The graph with nodes that reduce each tensor to its channels, which is less to hand over than all of it."""
    editor = GraphEditor(graph)
    ends = {}
    for ref in refs:
        flat = _add(editor, ref, "Reshape", _channels_last(editor, ref), Tshape=DType("int32"))
        six = editor.add_constant(f"{ref.node}/six", np.array(6, np.float32), beside=ref.node)
        zero = editor.add_constant(f"{ref.node}/rows", np.array([0], np.int32), beside=ref.node)
        above = _add(editor, flat, "Greater", six)
        ones = _add(editor, above, "Cast", SrcT=DType("bool"), DstT=DType("float32"))
        reduced = [
            _add(editor, value, op, zero, Tidx=DType("int32"), keep_dims=False)
            for op, value in (("Min", flat), ("Max", flat), ("Mean", ones))
        ]
        ends[ref] = tuple(reduced)
    return editor.finish(prune=False), ends


def _channels_last(editor: GraphEditor, ref: TensorRef) -> TensorRef:
    """The shape [-1, channels] of a tensor, computed from its own."""
    shape = _add(editor, ref, "Shape", out_type=DType("int32"))
    ends = [
        editor.add_constant(f"{ref.node}/{name}", np.array([value], np.int32), beside=ref.node)
        for name, value in (("from", -1), ("to", 0), ("by", 1))
    ]
    last = Node(
        editor.fresh(f"{ref.node}/last"),
        "StridedSlice",
        (shape, *ends),
        attrs={"T": DType("int32"), "Index": DType("int32"), "begin_mask": 0, "end_mask": 1},
    )
    size = TensorRef(editor.add(last, beside=ref.node).name)
    free = editor.add_constant(f"{ref.node}/free", np.array([-1], np.int32), beside=ref.node)
    axis = editor.add_constant(f"{ref.node}/axis", np.array(0, np.int32), beside=ref.node)
    joined = Node(
        editor.fresh(f"{ref.node}/flat_shape"),
        "ConcatV2",
        (free, size, axis),
        attrs={"T": DType("int32"), "Tidx": DType("int32"), "N": 2},
    )
    return TensorRef(editor.add(joined, beside=ref.node).name)


def _add(editor: GraphEditor, ref: TensorRef, op: str, *more: TensorRef, **attrs: object) -> TensorRef:
    typed = {} if op == "Cast" else {"T": DType("float32")}
    node = Node(editor.fresh(f"{ref.node}/{op.lower()}"), op, (ref, *more), attrs={**typed, **attrs})
    return TensorRef(editor.add(node, beside=ref.node).name)


def sampled_values(
    graph: Graph, refs: Sequence[TensorRef], samples: Samples, positions: int = 32, progress: Progress = silent
) -> dict[TensorRef, Array]:
    """Values of tensors at ``positions`` places of each sample, the same for all channels: [values, channels] each."""
    generator = np.random.default_rng(0)
    found: dict[TensorRef, list[Array]] = {ref: [] for ref in refs}
    with FloatRuns(graph, samples) as runs:
        for values in runs.fetched(list(refs), MOST_SAMPLED, progress, BATCH // 2):
            for ref in refs:
                value = values[str(ref)]
                flat = value.reshape(len(value), -1, value.shape[-1])
                count = min(positions, flat.shape[1])
                places = generator.choice(flat.shape[1], count, replace=False)
                found[ref].append(flat[:, places].reshape(-1, value.shape[-1]))
    return {ref: np.concatenate(rows).astype(np.float64) for ref, rows in found.items()}
