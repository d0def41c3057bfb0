"""A simulated network in a session: for many samples at once where that was seen to give the same answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tfmobile.errors import DataError, TfmobileError, UnsupportedError
from tfmobile.graph.model import Array, Graph, TensorRef
from tfmobile.graph.run import Runner, run
from tfmobile.quantization.simulation.batching import batchable
from tfmobile.quantization.simulation.layers import Network
from tfmobile.quantization.simulation.network import Adjuster, build
from tfmobile.quantization.simulation.reading import QuantizedModel, Tensor, read

NO_FLOAT_FORMS = (
    "With all layers in float the answers are not those of the float graph: the converter's names do not tell which "
    "nodes each operator was made from, so what is said of single layers may be wrong."
)


class Session:
    """``batch``: whether several samples can be computed at once (else they are one after the other)."""

    def __init__(self, network: Network, batch: bool) -> None:
        self.network, self.batch = network, batch
        self._inputs = {spec.key for spec in network.graph.inputs} - set(network.settings)
        self._runner = Runner(network.graph)

    def run(
        self, feeds: Mapping[str, Array], refs: Sequence[TensorRef], settings: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """The tensors by ``str(ref)``; ``settings`` differ from the usual ones."""
        chosen = {**self.network.settings, **(settings or {})}
        wanted = list(dict.fromkeys(refs))
        parts = [self._runner.run({**part, **chosen}, wanted) for part in self._parts(feeds)]
        if len(parts) == 1:
            return parts[0]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def close(self) -> None:
        """Free the TensorFlow session."""
        self._runner.close()

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


def open_session(graph: Graph, quantized: bytes, *, switched: bool = True, adjuster: Adjuster | None = None) -> Session:
    """Simulate ``quantized``, which was made from ``graph``; see ``build``.

    Raises UnsupportedError when nothing in the .tflite is quantized.
    """
    model = read(quantized)
    if not any(tensor.quantized for operator in model.operators for tensor in operator.outputs):
        raise UnsupportedError(
            "There is nothing to simulate in this .tflite.",
            why="None of its operators computes with integers.",
            fixes=["Give a .tflite with int8 activations: --recipe int8"],
        )
    session = _batched(graph, model, switched, adjuster)
    if session is None:
        session = Session(build(graph, model, free=False, switched=switched, adjuster=adjuster), batch=False)
    if not _has_float_forms(session, graph, model):
        session.network = dataclasses.replace(session.network, notes=(*session.network.notes, NO_FLOAT_FORMS))
    return session


def _batched(graph: Graph, model: QuantizedModel, switched: bool, adjuster: Adjuster | None) -> Session | None:
    """For several samples at once; None where they are not independent then."""
    relaxed = batchable(graph)
    if relaxed is None:
        return None
    session = None
    try:
        session = Session(build(relaxed, model, free=True, switched=switched, adjuster=adjuster), batch=True)
        if _independent(session, graph, model):
            return session
    except TfmobileError:  # shapes that do not fit any more
        pass
    if session is not None:
        session.close()
    return None


def _independent(session: Session, graph: Graph, model: QuantizedModel) -> bool:
    """Whether two samples at once give what each alone gives, on both paths."""
    both = _random(graph, model)
    alone = [{key: value[place : place + 1] for key, value in both.items()} for place in range(2)]
    rounded = list(session.network.outputs.values())
    exact = [spec.ref for spec in graph.outputs]
    together = session.run(both, [*rounded, *exact])
    first, second = ({**session.run(feeds, rounded), **run(graph, feeds, exact)} for feeds in alone)
    return all(_like(together[key], np.concatenate([first[key], second[key]])) for key in together)


def _has_float_forms(session: Session, graph: Graph, model: QuantizedModel) -> bool:
    """Whether all layers in float give the answers of the float graph, where all layers can be in float."""
    network = session.network
    if len(network.switches) < len(network.layers):
        return True
    floating = dict.fromkeys(network.switches.values(), np.array(True))
    pairs = [(network.outputs[spec.key], spec.ref) for spec in graph.outputs]
    found = session.run(_random(graph, model), [ref for pair in pairs for ref in pair], floating)
    return all(_like(found[str(ref)], found[str(exact)]) for ref, exact in pairs)


def _like(together: Array, apart: Array) -> bool:
    return together.shape == apart.shape and np.allclose(together, apart, rtol=1e-3, atol=1e-4)


def _random(graph: Graph, model: QuantizedModel) -> dict[str, Array]:
    """Two samples, within the range of the inputs where that is known."""
    generator = np.random.default_rng(0)
    rounded = {op.data[0].index: op.outputs[0] for op in model.operators if op.op == "QUANTIZE" and op.data}
    found = {}
    for place, spec in enumerate(graph.inputs):
        tensor = model.inputs.get(spec.key) or list(model.inputs.values())[place]
        low, high = _range(rounded.get(tensor.index, tensor))
        shape = (2, *(size or 1 for size in (spec.shape or ())[1:]))
        found[spec.key] = generator.uniform(low, high, shape).astype(spec.dtype)
    return found


def _range(tensor: Tensor) -> tuple[float, float]:
    if not tensor.quantized:
        return -1.0, 1.0
    low, high = tensor.bounds
    return low * float(tensor.scale), high * float(tensor.scale)
