"""Build the simulated network: the float graph untouched, and beside it what the .tflite computes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Array, Graph, Node, Shape, TensorRef, TensorSpec
from tfmobile.graph.run import import_graph
from tfmobile.quantization.simulation.fragments import Fragments
from tfmobile.quantization.simulation.kernel import (
    Adjust,
    Call,
    Computed,
    NotConstantError,
    clipped,
    round_half_away,
    round_half_even,
)
from tfmobile.quantization.simulation.kernels import KERNELS
from tfmobile.quantization.simulation.layers import INPUT, Network, SimulatedLayer, Wires
from tfmobile.quantization.simulation.matching import computed, layer_name, match
from tfmobile.quantization.simulation.places import Places, data_of
from tfmobile.quantization.simulation.reading import Operator, QuantizedModel, Tensor
from tfmobile.quantization.simulation.switching import Switches, to_grid
from tfmobile.quantization.simulation.weighted_kernels import WEIGHTED, WEIGHTS


class Adjuster:
    """Asked about each layer with weights. Does nothing; made to be derived from."""

    def start(self) -> None:
        """Begin a new graph."""

    def settings(self) -> dict[str, Array]:
        """The placeholders that it added, by name, with their usual values."""
        return {}

    def adjust(self, tf: Any, layer: SimulatedLayer, float_sums: Any) -> Adjust | None:
        """What to do with the layer's integer sums; ``float_sums`` is the tensor of the float path."""
        return None


def build(
    graph: Graph, model: QuantizedModel, *, free: bool, switched: bool = True, adjuster: Adjuster | None = None
) -> Network:
    """Simulate ``model``, which was made from ``graph``. ``free``: for any number of samples at once.

    ``switched``: with a switch a layer.
    """
    import tensorflow as tf

    adjuster = adjuster or Adjuster()
    adjuster.start()
    with tf.Graph().as_default() as tf_graph:
        import_graph(graph, tf_graph)
        work = _Building(tf, graph, tf_graph, model, free, switched, adjuster)
        with tf.name_scope("quantized"):
            for tensor in model.inputs.values():
                work.input(tensor)
            for operator in model.operators:
                work.visit(operator)
            return work.finish()


@dataclass
class _Values:
    """What a tensor of the .tflite holds: integers from the zero point (None where it is float), and real values."""

    real: Any
    grid: Any = None
    layer: str = ""


@dataclass
class _Building:
    tf: Any
    graph: Graph
    tf_graph: Any
    model: QuantizedModel
    free: bool
    switched: bool
    adjuster: Adjuster
    values: dict[int, _Values] = field(default_factory=dict)
    at: dict[TensorRef, Any] = field(default_factory=dict)
    """The quantized path's real values, by the tensor of the graph that they stand for."""
    layers: dict[str, SimulatedLayer] = field(default_factory=dict)
    wires: dict[str, Wires] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fragments = Fragments(self.tf, self.graph, self.tf_graph, computed(self.graph))
        shapes = {one.index: one.shape for operator in self.model.operators for one in operator.outputs}
        self.refs = {
            index: ref for index, ref in match(self.graph, self.model).items() if self._fits(ref, shapes.get(index))
        }
        self.places = Places(self.graph, self.refs, self.fragments)
        self.switches = Switches(self.tf)

    def _fits(self, ref: TensorRef, shape: tuple[int, ...] | None) -> bool:
        """Whether the tensor of the graph can have the shape; the number of samples does not count."""
        found = self.fragments.tensor(ref).shape
        if shape is None or found.rank is None:
            return True
        known = zip(found.as_list()[1:], shape[1:], strict=False)
        return found.rank == len(shape) and all(one in (None, other) for one, other in known)

    def input(self, tensor: Tensor) -> None:
        """An input of the model; for an integer one, values are rounded as ``runtime.interpreter.quantize`` does."""
        ref = self.refs[tensor.index]
        value = self.fragments.tensor(ref)
        self._know(tensor, _Values(value))
        if tensor.quantized and value.dtype == self.tf.float32:
            grid = round_half_away(self.tf, value / tensor.scale)
            self._round(tensor, tensor.name, INPUT, _Values(value), grid)

    def visit(self, operator: Operator) -> None:
        """Add one operator."""
        known = bool(operator.data) and operator.data[0].index in self.values
        if operator.op == "DEQUANTIZE" and known:
            before = self.values[operator.data[0].index]
            self._know(operator.outputs[0], _Values(before.real, None, before.layer))
        elif operator.op == "QUANTIZE" and known and not operator.data[0].quantized:
            self._quantize(operator)
        elif any(tensor.quantized for tensor in operator.outputs):
            self._layer(operator)
        else:
            self._float(operator)

    def finish(self) -> Network:
        """The network, once all operators have been visited."""
        outputs = {}
        for spec in self.graph.outputs:
            real = self.at[spec.ref] if spec.ref in self.at else self.fragments.copy(spec.ref, self.at)
            outputs[spec.key] = _ref(self.tf.identity(real))
        switches = {layer: switch.op.name for layer, switch in self.switches.by_layer.items()}
        settings = {**dict.fromkeys(switches.values(), np.array(False)), **self.adjuster.settings()}
        added = [_spec(self.tf_graph.get_operation_by_name(name).outputs[0]) for name in settings]
        both = from_graph_def(self.tf_graph.as_graph_def(), (*self.graph.inputs, *added), self.graph.outputs)
        layers = tuple(self.layers.values())
        if any(one.dtype == "int16" for operator in self.model.operators for one in operator.outputs):
            self.notes.append("Activations of 16 bits are simulated to within a step or two, not bit by bit.")
        return Network(both, layers, self.wires, switches, settings, outputs, tuple(self.notes))

    # Kinds of operators

    def _quantize(self, operator: Operator) -> None:
        """Float values to the grid of the output: XNNPACK multiplies, and rounds half to even."""
        source, output = operator.data[0], operator.outputs[0]
        before = self.values[source.index]
        is_input = any(source.index == tensor.index for tensor in self.model.inputs.values())
        grid = round_half_even(self.tf, before.real * (1 / output.scale))
        self._round(output, source.name, INPUT if is_input else operator.op, before, grid)

    def _round(self, output: Tensor, name: str, op: str, before: _Values, grid: Any) -> None:
        ref = self.refs.get(output.index)
        inputs = (before.layer,) if before.layer else ()
        layer = self._add(output, op, name.split(";")[0], ref.node if ref else "", inputs)
        real, grid = self.switches.join(layer, output, before.real, clipped(self.tf, grid, output))
        self._know(output, _Values(real, grid, layer))
        self.wires[layer] = Wires(_ref(real), ref)

    def _float(self, operator: Operator) -> None:
        """An operator that stays in float, or gives no real values."""
        sources = self._sources(operator)
        for output in operator.outputs:
            ref = self.refs.get(output.index)
            if ref is not None:
                self._know(output, _Values(self.fragments.copy(ref, sources)))

    def _layer(self, operator: Operator) -> None:
        output, sources = operator.outputs[0], self._sources(operator)
        if self.places.deceives(operator, sources.__contains__):
            del self.refs[output.index]
        ref, head = self.refs.get(output.index), self.places.head(operator, sources.__contains__)
        node = head.name if head else ref.node if ref else ""
        read = dict.fromkeys(self.values[one.index].layer for one in operator.data if one.index in self.values)
        layer = self._add(
            output, operator.op, layer_name(output, ref), node, tuple(filter(None, read)), _weight_scales(operator)
        )
        made = self._integers(operator, layer, head)
        for place, one in enumerate(operator.outputs):
            floating = self._floating(one, layer, sources, made is not None)
            if made is None and floating is None:
                self.notes.append(f"{operator.op} '{layer}' is not simulated: its place in the graph is not known.")
                continue
            whole = to_grid(self.tf, floating, one) if made is None else (made.grid, *made.others)[place]
            real, grid = self.switches.join(layer, one, floating, whole)
            self._know(one, _Values(real, grid, layer))
            if place == 0:
                self.wires[layer] = self._wired(operator, head, real, made)

    # Parts of a layer

    def _add(
        self,
        output: Tensor,
        op: str,
        name: str,
        node: str,
        inputs: tuple[str, ...],
        weight_scales: tuple[float, ...] = (),
    ) -> str:
        """A new layer, with a switch where it has a float form; its name."""
        name = name if name not in self.layers else f"{name}#{output.index}"
        can = self.switched and output.index in self.refs
        scale = float(output.scale) if output.quantized else 0.0
        self.layers[name] = SimulatedLayer(name, op, node, scale, output.zero_point, weight_scales, inputs, can)
        if can:
            self.switches.add(name)
        return name

    def _integers(self, operator: Operator, layer: str, head: Node | None) -> Computed | None:
        """What the integer kernel computes; None where there is no kernel of its own."""
        kernel = KERNELS.get(operator.op)
        if kernel is None or any(not self._on_grid(tensor) for tensor in operator.data):
            return None
        grids = [self._grid(tensor, layer) for tensor in operator.inputs]
        before = self.places.before_activation(operator, head)
        adjust = None
        if before is not None and operator.op in WEIGHTED:
            adjust = self.adjuster.adjust(self.tf, self.layers[layer], self.fragments.tensor(before))
        try:
            return kernel(Call(self.tf, operator, grids, self.free, adjust))
        except NotConstantError:
            return None

    def _on_grid(self, tensor: Tensor) -> bool:
        return tensor.index in self.values and self.values[tensor.index].grid is not None

    def _grid(self, tensor: Tensor | None, layer: str) -> Any:
        if tensor is None or (tensor.value is not None and not tensor.quantized):
            return None
        if tensor.value is not None:
            return tensor.value.astype(np.float32) - np.float32(tensor.zero_point)
        return self.switches.integer_branch(layer, self.values[tensor.index].grid)

    def _floating(self, output: Tensor, layer: str, sources: dict[TensorRef, Any], kernel: bool) -> Any:
        """The output computed in float from what the quantized path holds; None where that is not possible or wanted.

        Where there is no integer kernel both branches need it.
        """
        ref = self.refs.get(output.index)
        if ref is None or (kernel and layer not in self.switches.by_layer):
            return None
        if kernel:
            _, borders = self.fragments.nodes(ref, sources.__contains__)
            sources = {one: self.switches.float_branch(layer, sources[one]) for one in sorted(borders)}
        return self.fragments.copy(ref, sources)

    def _sources(self, operator: Operator) -> dict[TensorRef, Any]:
        """Real values by tensor of the graph: what the operator reads, and all else there is."""
        own = {
            self.refs[tensor.index]: self.values[tensor.index].real
            for tensor in operator.data
            if tensor.index in self.refs and tensor.index in self.values
        }
        return {**self.at, **own}

    def _know(self, tensor: Tensor, values: _Values) -> None:
        self.values[tensor.index] = values
        if tensor.index in self.refs:
            self.at[self.refs[tensor.index]] = values.real

    def _wired(self, operator: Operator, head: Node | None, real: Any, made: Computed | None) -> Wires:
        data = next((one for one in operator.data if one.index in self.values), None)
        return Wires(
            real=_ref(real),
            floating=self.refs.get(operator.outputs[0].index),
            sums=_ref(made.sums) if made is not None and made.sums is not None else None,
            step=None if made is None else made.step,
            floating_sums=self.places.before_activation(operator, head),
            data=None if data is None else _ref(self.values[data.index].real),
            floating_data=None if data is None else data_of(head) or self.refs.get(data.index),
        )


def _weight_scales(operator: Operator) -> tuple[float, ...]:
    tensor = operator.inputs[WEIGHTS] if operator.op in WEIGHTED else None
    return () if tensor is None else tuple(map(float, tensor.scales))


def _spec(tensor: Any) -> TensorSpec:
    # In graphs of TensorFlow 1.6 and before, a placeholder's shape () means any.
    shape: Shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorSpec(tensor.op.name, _ref(tensor), tensor.dtype.name, shape)


def _ref(tensor: Any) -> TensorRef:
    return TensorRef(tensor.op.name, tensor.value_index)
