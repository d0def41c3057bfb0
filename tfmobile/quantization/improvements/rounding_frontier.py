"""Walk a simulated network layer by layer: what a layer reads, what it should give, and then what it does give.

Outputs of layers are kept for all samples until the last layer that needs them has been computed, so that the whole
walk costs little more than running each path once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfmobile.graph.model import Array, DType, Graph, Node, ShapeAttr, TensorRef, TensorSpec
from tfmobile.graph.run import Runner
from tfmobile.quantization.simulation.layers import Network, SimulatedLayer, Wires

PRODUCTS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"})


@dataclass(frozen=True)
class Stop:
    """A layer with weights in the simulated graph.

    ``product`` multiplies ``data`` (real values) with the constant ``weights``; ``bias`` is the constant added ("" for
    none). That gives ``sums``, where 1 stands for ``step`` [1 or channels]; ``target``: the same on the float path, in
    real values. ``grid`` is the rounded output, in steps from the zero point; ``floating`` that of the float path.
    """

    layer: SimulatedLayer
    product: Node
    step: Array
    data: TensorRef
    target: TensorRef
    sums: TensorRef
    grid: TensorRef
    floating: TensorRef
    weights: str
    bias: str


@dataclass(frozen=True)
class Reading:
    """A batch of ``samples`` at a layer: ``data`` that it reads, quantized, and ``target`` of its sums; real values."""

    samples: int
    data: Array
    target: Array


def stops(network: Network) -> tuple[Stop, ...]:
    """The layers that have all it needs, in execution order."""
    found = (_stop(network.graph, layer, network.wires.get(layer.name)) for layer in network.layers)
    return tuple(one for one in found if one is not None)


def _stop(graph: Graph, layer: SimulatedLayer, wires: Wires | None) -> Stop | None:
    if wires is None or wires.sums is None or wires.step is None or wires.data is None:
        return None
    if wires.floating is None or wires.floating_sums is None:
        return None
    constants = _constants(graph, wires.sums)
    real = graph.nodes[wires.real.node]
    if constants is None or real.op != "Mul":
        return None
    # The next layers read the integers behind the real values.
    return Stop(
        layer,
        graph.nodes[constants[0]],
        wires.step,
        wires.data,
        wires.floating_sums,
        wires.sums,
        real.inputs[0],
        wires.floating,
        *constants[1:],
    )


def _constants(graph: Graph, sums: TensorRef) -> tuple[str, str, str] | None:
    """The node that multiplies, and the constants of integer weights and bias."""
    node, bias = graph.nodes[sums.node], ""
    if node.op not in PRODUCTS and len(node.inputs) == 2:
        node, bias = graph.nodes[node.inputs[0].node], node.inputs[1].node
    if node.op not in PRODUCTS or graph.nodes[node.inputs[1].node].value is None:
        return None
    return (node.name, node.inputs[1].node, bias) if not bias or graph.nodes[bias].value is not None else None


class Frontier:
    """All samples, at one place of the network. Stops are to be read and passed in their order."""

    def __init__(self, network: Network, feeds: Sequence[Mapping[str, Array]]) -> None:
        self._graph = network.graph
        self._stops = stops(network)
        refs = {spec.key: spec.ref for spec in network.graph.inputs}
        self._batches: list[dict[TensorRef, Array]] = [
            {refs[key]: value for key, value in one.items()} for one in feeds
        ]
        self._needs = self._borders()

    def __iter__(self) -> Iterator[tuple[Stop, Passage]]:
        for place, stop in enumerate(self._stops):
            with Passage(self._graph, stop, self._batches, sorted(self._needs[place])) as passage:
                yield stop, passage
            later = set().union(*self._needs[place + 1 :])
            for batch in self._batches:
                for ref in [ref for ref in batch if ref not in later]:
                    del batch[ref]

    def _borders(self) -> list[set[TensorRef]]:
        """For each stop, the tensors kept from before that it is computed from."""
        known = {spec.ref for spec in self._graph.inputs}
        found = []
        for stop in self._stops:
            wanted = (stop.data, stop.target, stop.sums, stop.floating, stop.grid)
            found.append(_inner(self._graph, wanted, known)[1])
            known.update((stop.grid, stop.floating))
        return found


class Passage:
    """One layer: ``read`` what is before it, then ``pass_on`` with the weights it shall have."""

    def __init__(
        self, graph: Graph, stop: Stop, batches: Sequence[dict[TensorRef, Array]], borders: Sequence[TensorRef]
    ) -> None:
        self._stop, self._batches, self._borders = stop, batches, borders
        values = {name: graph.nodes[name].value for name in (stop.weights, stop.bias) if name}
        self._constants = {name: value for name, value in values.items() if value is not None}
        fed = {
            **{ref: _kind(batches[0][ref]) for ref in borders},
            **{TensorRef(name): (value.shape, "float32") for name, value in self._constants.items()},
        }
        self._types = {ref: dtype for ref, (_, dtype) in fed.items()}
        self._keys = {ref: f"fed/{place}" for place, ref in enumerate(fed)}
        wanted = (stop.data, stop.target, stop.sums, stop.floating, stop.grid)
        self._runner = Runner(_part(graph, wanted, fed, self._keys), [])

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return len(self._batches)

    @property
    def weights(self) -> Array:
        """The integer weights, as floats, in the layout of the simulation's kernels."""
        return self._constants[self._stop.weights]

    @property
    def bias(self) -> Array | None:
        """The integer bias, as floats."""
        return self._constants.get(self._stop.bias)

    def read(self) -> Iterator[Reading]:
        """Batch by batch; also computes what the layer gives in float."""
        for batch in self._batches:
            wanted = (self._stop.data, self._stop.target, self._stop.floating)
            found = self._run(batch, wanted, self._constants)
            batch[self._stop.floating] = found[self._stop.floating]
            yield Reading(_count(batch), found[self._stop.data], found[self._stop.target])

    def sums(self, weights: Array, bias: Array | None) -> Iterator[tuple[Array, int]]:
        """Batch by batch, the layer's sums in steps with these integer weights and bias; and how many samples."""
        constants = self._with(weights, bias)
        for batch in self._batches:
            yield self._run(batch, (self._stop.sums,), constants)[self._stop.sums], _count(batch)

    def pass_on(self, weights: Array, bias: Array | None) -> None:
        """Compute what the layer gives with these integer weights and bias."""
        constants = self._with(weights, bias)
        for batch in self._batches:
            grid = self._run(batch, (self._stop.grid,), constants)[self._stop.grid]
            batch[self._stop.grid] = grid.astype(np.int16) if np.abs(grid).max(initial=0) < 2**15 else grid

    def _with(self, weights: Array, bias: Array | None) -> dict[str, Array]:
        return {self._stop.weights: weights, **({self._stop.bias: bias} if bias is not None else {})}

    def __enter__(self) -> Passage:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def _run(
        self, batch: Mapping[TensorRef, Array], wanted: Sequence[TensorRef], constants: Mapping[str, Array]
    ) -> dict[TensorRef, Array]:
        feeds = {self._keys[ref]: batch[ref].astype(self._types[ref], copy=False) for ref in self._borders}
        feeds.update({self._keys[TensorRef(name)]: value for name, value in constants.items()})
        taken = [self._renamed(ref) for ref in wanted]
        found = self._runner.run(feeds, taken)
        return {ref: found[str(name)] for ref, name in zip(wanted, taken, strict=True)}

    def _renamed(self, ref: TensorRef) -> TensorRef:
        return TensorRef(self._keys[ref]) if ref in self._keys else ref


def _count(batch: Mapping[TensorRef, Array]) -> int:
    """How many samples."""
    return len(next(iter(batch.values())))


def _kind(kept: Array) -> tuple[tuple[int | None, ...], str]:
    """Shape and type of what is kept: integers are so stored to save memory."""
    return (None, *kept.shape[1:]), "float32" if kept.dtype == np.int16 else kept.dtype.name


def _inner(graph: Graph, wanted: Sequence[TensorRef], known: set[TensorRef]) -> tuple[set[str], set[TensorRef]]:
    """The nodes that compute ``wanted`` from ``known`` tensors, and those of them that are read."""
    inner: set[str] = set()
    borders: set[TensorRef] = set()
    waiting = list(wanted)
    while waiting:
        ref = waiting.pop()
        if ref in known:
            borders.add(ref)
        elif ref.node not in inner:
            inner.add(ref.node)
            waiting.extend(graph.nodes[ref.node].inputs)
    return inner, borders


def _part(
    graph: Graph,
    wanted: Sequence[TensorRef],
    fed: Mapping[TensorRef, tuple[tuple[int | None, ...], str]],
    keys: Mapping[TensorRef, str],
) -> Graph:
    """The part of the graph that computes ``wanted`` from ``fed`` tensors, which become inputs."""
    inner, _ = _inner(graph, wanted, set(fed))
    nodes = {}
    specs = []
    for ref, (shape, dtype) in fed.items():
        attrs = {"dtype": DType(dtype), "shape": ShapeAttr(shape)}
        nodes[keys[ref]] = Node(keys[ref], "Placeholder", attrs=attrs)
        specs.append(TensorSpec(keys[ref], TensorRef(keys[ref]), dtype, shape))
    for node in graph:
        if node.name in inner:
            inputs = tuple(TensorRef(keys[ref]) if ref in keys else ref for ref in node.inputs)
            nodes[node.name] = dataclasses.replace(node, inputs=inputs, controls=())
    return dataclasses.replace(graph, nodes=nodes, inputs=tuple(specs), outputs=())
