"""What can be asked of a simulation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType

import numpy as np

from tfmobile.errors import UnsupportedError
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.quantization.simulation.layers import Wires
from tfmobile.quantization.simulation.running import Session, open_session


class Simulation:
    """A quantized .tflite and the float graph it was made from, as one TensorFlow graph. A context manager.

    Feeds go by input key, preprocessed, in float: [samples, …]. ``layers`` are in execution order; ``notes`` say what
    is not simulated exactly. ``batch``: whether several samples are computed at once (else one after the other).
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._network = session.network
        self.layers, self.notes, self.batch = session.network.layers, session.network.notes, session.batch

    def outputs(self, feeds: Mapping[str, Array], *, floating: Collection[str] = ()) -> dict[str, Array]:
        """The answers of the .tflite by output key, in real values; ``floating`` layers are computed in float.

        Such a layer has float weights, and its output is not rounded; what it reads is what the layers before it give.
        Raises UnsupportedError for a layer that cannot be computed in float.
        """
        wanted = self._network.outputs
        switches = {self._switch(name): np.array(True) for name in floating}
        found = self._session.run(feeds, list(wanted.values()), switches)
        return {key: found[str(ref)] for key, ref in wanted.items()}

    def float_outputs(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The answers of the float graph, by output key."""
        wanted = {spec.key: spec.ref for spec in self._network.graph.outputs}
        found = self._session.run(feeds, list(wanted.values()))
        return {key: found[str(ref)] for key, ref in wanted.items()}

    def values(self, feeds: Mapping[str, Array], layers: Sequence[str]) -> dict[str, tuple[Array, Array]]:
        """The outputs of layers: name → (float path, quantized path), real values.

        Raises UnsupportedError for a layer that has no counterpart on the float path.
        """
        wires = {name: self._wires(name) for name in layers}
        return self._pairs(feeds, {name: (one.floating, one.real) for name, one in wires.items()})

    def pre_activations(self, feeds: Mapping[str, Array], layer: str) -> tuple[Array, Array]:
        """(float path, quantized path) before the fused activation and before rounding, real values.

        For layers with weights; raises UnsupportedError for others.
        """
        wires = self._wires(layer)
        exact, sums = self._pairs(feeds, {layer: (wires.floating_sums, wires.sums)})[layer]
        assert wires.step is not None
        return exact, (sums * wires.step).reshape(exact.shape)

    def layer_inputs(self, feeds: Mapping[str, Array], layer: str) -> tuple[Array, Array]:
        """(float path, quantized path) of the data that a layer reads, real values."""
        wires = self._wires(layer)
        return self._pairs(feeds, {layer: (wires.floating_data, wires.data)})[layer]

    def close(self) -> None:
        """Free the session."""
        self._session.close()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pairs(
        self, feeds: Mapping[str, Array], pairs: Mapping[str, tuple[TensorRef | None, TensorRef | None]]
    ) -> dict[str, tuple[Array, Array]]:
        """Two tensors a layer, all in one run."""
        known = {}
        for layer, (exact, rounded) in pairs.items():
            if exact is None or rounded is None:
                raise _not_there(layer)
            known[layer] = (exact, rounded)
        found = self._session.run(feeds, [ref for pair in known.values() for ref in pair])
        return {layer: (found[str(exact)], found[str(rounded)]) for layer, (exact, rounded) in known.items()}

    def _wires(self, layer: str) -> Wires:
        if layer not in self._network.wires:
            raise _not_there(layer)
        return self._network.wires[layer]

    def _switch(self, layer: str) -> str:
        if layer not in self._network.switches:
            raise _not_there(layer)
        return self._network.switches[layer]


def open_simulation(graph: Graph, quantized: bytes) -> Simulation:
    """Simulate ``quantized``, an integer .tflite that was made from ``graph``.

    Several samples are computed at once where that was seen to give the same answers as one at a time. Raises
    UnsupportedError when nothing in the .tflite is quantized.
    """
    return Simulation(open_session(graph, quantized))


def _not_there(layer: str) -> UnsupportedError:
    return UnsupportedError(
        f"The simulation does not have this of layer '{layer}'.",
        why="It is no layer of this model, it has no weights, or it has no counterpart in the float graph.",
        fixes=["Take a name from the simulation's layers, one that is switchable."],
    )
