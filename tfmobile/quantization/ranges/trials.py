"""What rounding one group of tensors to 8 bits does to the answers of the float model: tried, in TensorFlow.

All else stays float. The rounded values are fed where the tensors are, so only what comes behind them is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from tfmobile.errors import TfmobileError, VerificationError
from tfmobile.graph.large_constants import lifted
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner, check_ops, import_graph
from tfmobile.quantization.ranges.groups import Group
from tfmobile.quantization.simulation.batching import batchable
from tfmobile.scheme.int8 import LAYERS, Range

BATCH = 32
SMOOTHING = 1e-4
"""Added to probabilities: an answer that is hopeless costs much, not everything."""
MOST_VALUES = 2**25
"""How many values of the inputs, and of a group's tensors, are kept in memory."""
MOST_OPERATIONS = 3e10
"""For the answers of the float model alone: it limits the number of samples, but not below FEWEST."""
FEWEST = 32
SMALLEST_SCALE = 1e-30
"""Values in steps of a smaller scale may not fit into float32."""


def rounded(values: Array, range_: Range) -> Array:
    """``values`` on the int8 grid of a range that holds 0, as TFLite's quantizer makes it; halves away from zero.

    That is how the runtime rounds inputs, and pixels scaled to −1…1 all lie on halves.
    """
    low, high = range_
    scale = np.float32((high - low) / 255)
    if not scale > SMALLEST_SCALE:
        return np.zeros_like(values)
    zero = np.rint(-low / scale)
    grid = values / scale
    grid += np.copysign(np.float32(0.5), grid)
    np.trunc(grid, out=grid)
    np.clip(grid, -zero, 255 - zero, out=grid)
    grid *= scale
    return grid


@dataclass(frozen=True)
class _Batch:
    """Samples together: inputs by key, and the float model's answers."""

    feeds: Mapping[str, Array]
    answers: Sequence[Array]

    def first(self, rows: int) -> _Batch:
        """The first ``rows`` samples of it."""
        return _Batch({key: value[:rows] for key, value in self.feeds.items()}, [one[:rows] for one in self.answers])


class Trials:
    """A float graph in a session; a context manager. ``feeds``: samples of batch size 1, by input key.

    ``samples``: how many of them are used; the first ones, fewer of a model that takes long. Raises UnsupportedError,
    ModelError and VerificationError when TensorFlow does not run the graph.
    """

    def __init__(self, graph: Graph, feeds: Sequence[Mapping[str, Array]]) -> None:
        import tensorflow as tf

        check_ops(graph)
        relaxed = batchable(graph)
        together = relaxed is not None and _independent(relaxed, graph, feeds[:2])
        self._size = BATCH if together else 1
        self._graph = relaxed if together and relaxed is not None else graph
        rest, constants = lifted(self._graph)
        self._constants = {f"{name}:0": value for name, value in constants.items()}
        self._tf_graph: Any = tf.Graph()
        import_graph(rest, self._tf_graph)
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        self._session: Any = tf.compat.v1.Session(graph=self._tf_graph, config=config)
        self._costs: dict[Sequence[TensorRef], float] = {}
        self._group: Group | None = None
        self._held: list[dict[TensorRef, Array]] = []
        self.samples = self._affordable(len(feeds))
        self._batches = [
            self._answered(_joined(feeds[start : min(start + self._size, self.samples)]))
            for start in range(0, self.samples, self._size)
        ]

    def cost(self, group: Group) -> float:
        """About how many operations a sample takes behind the group; a number of the model, not of the machine."""
        return self._cost(group.sources)

    def fits(self, group: Group) -> int:
        """For how many samples the values of a group fit into memory."""
        values = sum(_elements(self._tensor(ref)) for ref in group.sources)
        return max(1, min(self.samples, MOST_VALUES // max(1, values)))

    def divergence(self, group: Group, range_: Range, samples: int) -> Array:
        """How far answers are from the float model's when the group is rounded, for each of the first samples.

        It is 0 for equal answers. Probabilities: the Kullback-Leibler divergence from the float answer, in nats. Else:
        the squared error as a part of the float answer's variance.
        """
        batches = [
            self._batches[start // self._size].first(min(self._size, samples - start))
            for start in range(0, min(samples, self.samples), self._size)
        ]
        held = self._hold(group, batches)
        found = [
            _apart(batch.answers, self._rounded_answers(group, values, range_, batch))
            for values, batch in zip(held, batches, strict=True)
        ]
        return np.concatenate(found)

    def _affordable(self, count: int) -> int:
        refs = tuple(spec.ref for spec in self._graph.inputs)
        values = sum(_elements(self._tensor(ref)) for ref in refs)
        most = min(int(MOST_OPERATIONS / max(self._cost(refs), 1.0)), MOST_VALUES // max(1, values))
        return min(count, max(FEWEST, most))

    def _cost(self, refs: Sequence[TensorRef]) -> float:
        if refs not in self._costs:
            behind = {ref.node for ref in refs}
            total = 0.0
            for operation in self._tf_graph.get_operations():
                if any(tensor.op.name in behind for tensor in operation.inputs):
                    behind.add(operation.name)
                    total += _operations(operation)
            self._costs[refs] = total
        return self._costs[refs]

    def _answered(self, feeds: Mapping[str, Array]) -> _Batch:
        return _Batch(feeds, self._run([spec.ref for spec in self._graph.outputs], feeds, {}))

    def _hold(self, group: Group, batches: Sequence[_Batch]) -> list[dict[TensorRef, Array]]:
        """Float values of the group's sources, batch by batch; those of the last group are kept."""
        if self._group != group:
            self._group, self._held = group, []
        rows = [len(next(iter(values.values()))) for values in self._held]
        wanted = [len(batch.answers[0]) for batch in batches]
        if rows[: len(wanted)] != wanted:
            self._held = [
                dict(zip(group.sources, self._run(group.sources, batch.feeds, {}), strict=True)) for batch in batches
            ]
        return self._held[: len(wanted)]

    def _rounded_answers(
        self, group: Group, held: Mapping[TensorRef, Array], range_: Range, batch: _Batch
    ) -> list[Array]:
        fed = {ref: rounded(values, range_) for ref, values in held.items()}
        for ref in group.again:
            (value,) = self._run([ref], batch.feeds, fed)
            fed[ref] = rounded(value, range_)
        return self._run([spec.ref for spec in self._graph.outputs], batch.feeds, fed)

    def _run(
        self, refs: Sequence[TensorRef], feeds: Mapping[str, Array], fed: Mapping[TensorRef, Array]
    ) -> list[Array]:
        import tensorflow as tf

        given = {self._tensor(spec.ref): feeds[spec.key] for spec in self._graph.inputs}
        given.update({self._tensor(ref): values for ref, values in fed.items()})
        try:
            found: list[Array] = self._session.run([self._tensor(ref) for ref in refs], {**self._constants, **given})
        except (tf.errors.OpError, ValueError, TypeError) as cause:
            raise VerificationError(
                "The graph does not run with some tensors rounded.",
                why=" ".join(str(cause).split())[:400],
                fixes=["Leave choose-ranges out of the recipe's list of improvements."],
            ) from cause
        return found

    def _tensor(self, ref: TensorRef) -> Any:
        return self._tf_graph.get_tensor_by_name(f"{ref.node}:{ref.index}")

    def __enter__(self) -> Trials:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        self._session = self._tf_graph = None
        self._held, self._batches, self._constants = [], [], {}


def _independent(relaxed: Graph, graph: Graph, feeds: Sequence[Mapping[str, Array]]) -> bool:
    """Whether samples that are run together give what each alone gives."""
    try:
        with Runner(relaxed) as runner:
            together = runner.run(_joined(feeds))
        with Runner(graph) as runner:
            apart = _joined([runner.run(feed) for feed in feeds])
    except (TfmobileError, ValueError):
        return False
    return all(
        value.shape == apart[key].shape and np.allclose(value, apart[key], rtol=1e-3, atol=1e-4)
        for key, value in together.items()
    )


def _joined(feeds: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {key: np.concatenate([feed[key] for feed in feeds]) for key in feeds[0]}


def _apart(wanted: Sequence[Array], found: Sequence[Array]) -> Array:
    total: Array = np.zeros(len(wanted[0]))
    for exact, other in zip(wanted, found, strict=True):
        if exact.dtype.kind == "f":
            rows = exact.astype(np.float64).reshape(len(exact), -1, *exact.shape[-1:])
            total += _distance(rows, other.astype(np.float64).reshape(rows.shape))
    return total


def _distance(exact: Array, other: Array) -> Array:
    sums = exact.sum(axis=-1)
    if exact.shape[-1] > 1 and exact.min() >= 0 and np.allclose(sums, 1, atol=1e-3):
        p, q = exact + SMOOTHING, other + SMOOTHING
        found: Array = (p * np.log(p / q)).sum(axis=-1).mean(axis=1)
        return found
    noise: Array = np.square(exact - other).mean(axis=(1, 2)) / max(float(exact.var()), 1e-12)
    return noise


def _operations(operation: Any) -> float:
    """Multiplications of a layer, counted by the size of its weights; values of anything else, which are slower."""
    elements = sum(_elements(tensor) for tensor in operation.outputs)
    if operation.type in LAYERS and operation.inputs[1].shape.num_elements():
        channels = operation.outputs[0].shape[-1] or 1
        depthwise = operation.type == "DepthwiseConv2dNative"
        each = operation.inputs[1].shape.num_elements() / int(channels)
        return float(elements * (20 + each * (4 if depthwise else 1)))
    return float(20 * elements)


def _elements(tensor: Any) -> int:
    shape = tensor.shape
    return int(np.prod([size or 1 for size in shape.as_list()[1:]], dtype=np.int64)) if shape.rank else 1
