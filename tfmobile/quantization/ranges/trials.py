"""What rounding one group of tensors to 8 bits does to the answers of the float model: tried, in TensorFlow.

All else stays float. The rounded values are fed where the tensors are, so only what comes behind them is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner, import_graph
from tfmobile.quantization.ranges.groups import Group
from tfmobile.quantization.simulation.batching import batchable
from tfmobile.scheme.int8 import Range

BATCH = 32
SMOOTHING = 1e-4
"""Added to probabilities: an answer that is hopeless costs much, not everything."""
MOST_VALUES = 2**25
"""How many values of a group's tensors are kept in memory."""


def rounded(values: Array, range_: Range) -> Array:
    """``values`` on the int8 grid of a range that holds 0, as TFLite's quantizer makes it."""
    low, high = range_
    scale = np.float32((high - low) / 255)
    if not scale > 0:
        return np.zeros_like(values)
    zero = np.rint(-low / scale)
    grid = np.rint(values / scale)
    np.clip(grid, -zero, 255 - zero, out=grid)
    grid *= scale
    return grid


class Trials:
    """A float graph in a session; a context manager. ``feeds``: samples of batch size 1, by input key."""

    def __init__(self, graph: Graph, feeds: Sequence[Mapping[str, Array]]) -> None:
        import tensorflow as tf

        relaxed = batchable(graph)
        together = relaxed is not None and _independent(relaxed, graph, feeds[:2])
        self._size = BATCH if together else 1
        self._graph = relaxed if together and relaxed is not None else graph
        self.samples = len(feeds)
        starts = range(0, len(feeds), self._size)
        self._batches = [_joined(feeds[start : start + self._size]) for start in starts]
        self._tf_graph: Any = tf.Graph()
        import_graph(self._graph, self._tf_graph)
        config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        self._session: Any = tf.compat.v1.Session(graph=self._tf_graph, config=config)
        self._answers = [self._run([spec.ref for spec in graph.outputs], batch, {}) for batch in self._batches]
        self._group: Group | None = None
        self._held: list[dict[TensorRef, Array]] = []

    def cost(self, group: Group) -> float:
        """About how many operations a sample takes behind the group; a number of the model, not of the machine."""
        behind = {ref.node for ref in group.sources}
        total = 0.0
        for operation in self._tf_graph.get_operations():
            if any(tensor.op.name in behind for tensor in operation.inputs) or operation.name in behind:
                behind.add(operation.name)
                total += _operations(operation)
        return total

    def fits(self, group: Group) -> int:
        """For how many samples the values of a group fit into memory."""
        values = sum(_elements(self._tensor(ref)) for ref in group.sources)
        return max(1, min(self.samples, MOST_VALUES // max(1, values)))

    def divergence(self, group: Group, range_: Range, samples: int) -> Array:
        """How far answers are from the float model's when the group is rounded, one number a sample; 0 is equal.

        Probabilities: the Kullback-Leibler divergence from the float answer, in nats. Else: the squared error as a part
        of the float answer's variance.
        """
        batches = self._hold(group, samples)
        found = [
            _apart(answer, self._answer(group, held, range_, batch))
            for held, batch, answer in zip(batches, self._batches, self._answers, strict=False)
        ]
        return np.concatenate(found)[:samples]

    def _hold(self, group: Group, samples: int) -> list[dict[TensorRef, Array]]:
        """Float values of the group's sources, batch by batch."""
        wanted = -(-samples // self._size)
        if self._group != group:
            self._group, self._held = group, []
        for batch in self._batches[len(self._held) : wanted]:
            values = self._run(group.sources, batch, {})
            self._held.append(dict(zip(group.sources, values, strict=True)))
        return self._held[:wanted]

    def _answer(
        self, group: Group, held: Mapping[TensorRef, Array], range_: Range, batch: Mapping[str, Array]
    ) -> list[Array]:
        fed = {ref: rounded(values, range_) for ref, values in held.items()}
        for ref in group.again:
            (value,) = self._run([ref], batch, fed)
            fed[ref] = rounded(value, range_)
        return self._run([spec.ref for spec in self._graph.outputs], batch, fed)

    def _run(
        self, refs: Sequence[TensorRef], batch: Mapping[str, Array], fed: Mapping[TensorRef, Array]
    ) -> list[Array]:
        given = {self._tensor(spec.ref): batch[spec.key] for spec in self._graph.inputs}
        given.update({self._tensor(ref): values for ref, values in fed.items()})
        found: list[Array] = self._session.run([self._tensor(ref) for ref in refs], given)
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
        self._held, self._batches, self._answers = [], [], []


def _independent(relaxed: Graph, graph: Graph, feeds: Sequence[Mapping[str, Array]]) -> bool:
    """Whether samples that are run together give what each alone gives."""
    from tfmobile.errors import TfmobileError

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
    if operation.type in ("Conv2D", "DepthwiseConv2dNative", "MatMul"):
        channels = operation.outputs[0].shape[-1] or 1
        depthwise = operation.type == "DepthwiseConv2dNative"
        each = _elements(operation.inputs[1]) / int(channels)
        return elements * (20.0 + each * (4.0 if depthwise else 1.0))
    return 20.0 * elements


def _elements(tensor: Any) -> int:
    shape = tensor.shape
    return int(np.prod([size or 1 for size in shape.as_list()[1:]], dtype=np.int64)) if shape.rank else 1
