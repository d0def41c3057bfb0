"""Run the simulated network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType

import numpy as np

from tfmobile.errors import DataError, TfmobileError, UnsupportedError
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner, run
from tfmobile.quantization.simulation.batching import batchable
from tfmobile.quantization.simulation.network import Network, SimulatedLayer, build
from tfmobile.quantization.simulation.reading import QuantizedModel, Tensor, read


class Simulation:
    """A quantized .tflite and the float graph it was made from, as one TensorFlow graph. A context manager.

    Feeds go by input key, preprocessed, in float: [samples, …]. ``layers`` are in execution order; ``notes`` say what
    is not simulated exactly. ``batch``: whether several samples are computed at once (else one after the other).
    """

    def __init__(self, network: Network, batch: bool) -> None:
        self.layers = network.layers
        self.notes = network.notes
        self.batch = batch
        self._network = network
        self._outputs = [(spec.key, spec.ref) for spec in network.graph.outputs]
        self._inputs = {spec.key for spec in network.graph.inputs} - set(network.switches.values())
        self._runner = Runner(network.graph)

    def outputs(self, feeds: Mapping[str, Array], *, floating: Collection[str] = ()) -> dict[str, Array]:
        """The answers of the .tflite by output key, in real values; ``floating`` layers are computed in float.

        Such a layer has float weights, and its output is not rounded; what it reads is what the layers before it give.
        Raises UnsupportedError for a layer that cannot be computed in float.
        """
        wanted = self._network.outputs
        found = self._run(feeds, list(wanted.values()), floating)
        return {key: found[str(ref)] for key, ref in wanted.items()}

    def float_outputs(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The answers of the float graph, by output key."""
        found = self._run(feeds, [ref for _, ref in self._outputs])
        return {key: found[str(ref)] for key, ref in self._outputs}

    def values(self, feeds: Mapping[str, Array], layers: Sequence[str]) -> dict[str, tuple[Array, Array]]:
        """The outputs of layers: name → (float path, quantized path), real values. What the float path has not is NaN."""
        wires = {name: self._network.wires[name] for name in layers}
        refs = [ref for one in wires.values() for ref in (one.real, one.floating) if ref is not None]
        found = self._run(feeds, refs)
        return {
            name: (_or_nan(found, one.floating, found[str(one.real)]), found[str(one.real)])
            for name, one in wires.items()
        }

    def pre_activations(self, feeds: Mapping[str, Array], layer: str) -> tuple[Array, Array]:
        """(float path, quantized path) before the fused activation and before rounding, real values.

        For layers with weights; raises UnsupportedError for others.
        """
        wires = self._network.wires[layer]
        if wires.sums is None or wires.floating_sums is None or wires.step is None:
            raise _not_there(layer, "its sums before activation")
        found = self._run(feeds, [wires.sums, wires.floating_sums])
        exact = found[str(wires.floating_sums)]
        return exact, (found[str(wires.sums)] * wires.step).reshape(exact.shape)

    def layer_inputs(self, feeds: Mapping[str, Array], layer: str) -> tuple[Array, Array]:
        """(float path, quantized path) of the data that a layer reads, real values."""
        wires = self._network.wires[layer]
        if wires.data is None or wires.floating_data is None:
            raise _not_there(layer, "what it reads")
        found = self._run(feeds, [wires.data, wires.floating_data])
        return found[str(wires.floating_data)], found[str(wires.data)]

    def close(self) -> None:
        """Free the session."""
        self._runner.close()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(
        self, feeds: Mapping[str, Array], refs: Sequence[TensorRef], floating: Collection[str] = ()
    ) -> dict[str, Array]:
        """One run, or one a sample; results by ``str(ref)``."""
        switches = self._switches(floating)
        wanted = list(dict.fromkeys(refs))
        parts = [self._runner.run({**part, **switches}, wanted) for part in self._parts(feeds)]
        if len(parts) == 1:
            return parts[0]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _switches(self, floating: Collection[str]) -> dict[str, Array]:
        unknown = sorted(set(floating) - set(self._network.switches))
        if unknown:
            raise _not_there(unknown[0], "a float form of it")
        return {key: np.array(name in floating) for name, key in self._network.switches.items()}

    def _parts(self, feeds: Mapping[str, Array]) -> Iterator[Mapping[str, Array]]:
        if set(feeds) != self._inputs:
            raise DataError(
                f"The samples do not name the model's inputs: {', '.join(sorted(set(feeds) ^ self._inputs))}.",
                why=f"The model has {', '.join(sorted(self._inputs))}.",
                fixes=["Name the arrays like the inputs of the model."],
            )
        count = 1 if self.batch else len(next(iter(feeds.values())))
        if count == 1:
            yield feeds
            return
        for place in range(count):
            yield {key: value[place : place + 1] for key, value in feeds.items()}


def _or_nan(found: Mapping[str, Array], ref: TensorRef | None, like: Array) -> Array:
    return np.full_like(like, np.nan) if ref is None else found[str(ref)]


def _not_there(layer: str, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"The simulation does not have {what} for layer '{layer}'.",
        why="It is no layer of this model, or the converter made it from nodes that cannot be told apart.",
        fixes=["Take a name from the simulation's layers that are switchable."],
    )


def open_simulation(graph: Graph, quantized: bytes) -> Simulation:
    """Simulate ``quantized``, an integer .tflite that was made from ``graph``.

    Several samples are computed at once where that was seen to give the same answers as one at a time. Raises
    UnsupportedError when nothing in the .tflite is quantized.
    """
    model = read(quantized)
    relaxed = batchable(graph)
    if relaxed is not None:
        try:
            simulation = Simulation(_built(relaxed, model, free=True), batch=True)
            if _independent(simulation, graph, model):
                return simulation
            simulation.close()
        except TfmobileError:  # shapes that do not fit any more
            pass
    return Simulation(_built(graph, model, free=False), batch=False)


def _built(graph: Graph, model: QuantizedModel, free: bool) -> Network:
    network = build(graph, model, free=free)
    if not network.layers:
        raise UnsupportedError(
            "There is nothing to simulate in this .tflite.",
            why="None of its operators computes with integers.",
            fixes=["Give a .tflite with int8 activations: --recipe int8"],
        )
    return network


def _independent(simulation: Simulation, graph: Graph, model: QuantizedModel) -> bool:
    """Whether two samples at once give what each alone gives, on both paths."""
    both = _random(graph, model)
    alone = [{key: value[place : place + 1] for key, value in both.items()} for place in range(2)]
    exact = [run(graph, feeds) for feeds in alone]
    rounded = [simulation.outputs(feeds) for feeds in alone]
    pairs = ((simulation.float_outputs(both), exact), (simulation.outputs(both), rounded))
    return all(_like(together[key], [one[key] for one in apart]) for together, apart in pairs for key in together)


def _like(together: Array, apart: Sequence[Array]) -> bool:
    joined = np.concatenate(apart)
    return together.shape == joined.shape and np.allclose(together, joined, rtol=1e-3, atol=1e-4)


def _random(graph: Graph, model: QuantizedModel) -> dict[str, Array]:
    """Two samples, within the range of the inputs where that is known."""
    generator = np.random.default_rng(0)
    ranges = {tensor.index: _range(tensor) for op in model.operators for tensor in op.outputs if op.op == "QUANTIZE"}
    sources = {op.data[0].index: op.outputs[0].index for op in model.operators if op.op == "QUANTIZE" and op.data}
    found = {}
    for place, spec in enumerate(graph.inputs):
        tensor = model.inputs.get(spec.key) or list(model.inputs.values())[place]
        low, high = _range(tensor) if tensor.quantized else ranges.get(sources.get(tensor.index, -1), (-1.0, 1.0))
        shape = (2, *(size or 1 for size in (spec.shape or ())[1:]))
        found[spec.key] = generator.uniform(low, high, shape).astype(spec.dtype)
    return found


def _range(tensor: Tensor) -> tuple[float, float]:
    low, high = tensor.bounds if tensor.quantized else (-1, 1)
    scale = float(tensor.scale) if tensor.quantized else 1.0
    return low * scale, high * scale
