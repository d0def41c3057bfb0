"""The simulated network: the float graph untouched, and beside it what the .tflite computes, as one TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.graphdef import from_graph_def
from tfmobile.graph.model import Array, Graph, Node, Shape, TensorRef, TensorSpec
from tfmobile.graph.run import import_graph
from tfmobile.quantization.simulation.fragments import Fragments
from tfmobile.quantization.simulation.kernels import (
    KERNELS,
    WEIGHTED,
    Adjust,
    Call,
    Computed,
    NotConstantError,
    round_half_away,
    round_half_even,
)
from tfmobile.quantization.simulation.matching import computed, layer_name, match
from tfmobile.quantization.simulation.reading import Operator, QuantizedModel, Tensor
from tfmobile.scheme.fusion import fusion
from tfmobile.scheme.int8 import LAYERS

INPUT = "INPUT"
"""The op of the layer that rounds an input of the model."""


@dataclass(frozen=True)
class SimulatedLayer:
    """One operator that rounds its output. ``name``: what users call it. ``op``: the .tflite's name, or INPUT.

    ``node``: the graph's node of weights or arithmetic, "" when not found. ``scale`` and ``zero_point`` of the output;
    ``weight_scales`` [1 or channels]. ``inputs``: the layers it reads. ``switchable``: whether it can be computed in
    float.
    """

    name: str
    op: str
    node: str
    scale: float
    zero_point: int
    weight_scales: tuple[float, ...]
    inputs: tuple[str, ...]
    switchable: bool


@dataclass(frozen=True)
class Wires:
    """Where a layer's tensors are in the simulated graph; None for those that are not there.

    ``real``: its output. ``floating``: the same on the float path. ``sums``: before activation, where 1 stands for
    ``step``; ``floating_sums`` the same on the float path, in real values. ``data`` and ``floating_data``: what it reads.
    """

    real: TensorRef
    floating: TensorRef | None
    sums: TensorRef | None = None
    step: Array | None = None
    floating_sums: TensorRef | None = None
    data: TensorRef | None = None
    floating_data: TensorRef | None = None


@dataclass(frozen=True)
class Network:
    """``graph``: both paths; its inputs are those of the float graph, and those of ``switches``, by layer name."""

    graph: Graph
    layers: tuple[SimulatedLayer, ...]
    wires: Mapping[str, Wires]
    switches: Mapping[str, str]
    outputs: Mapping[str, TensorRef]
    notes: tuple[str, ...]


Adjuster = Callable[[Any, SimulatedLayer, Any], Adjust | None]
"""(tensorflow, layer, float sums) → what to do with the layer's integer sums, or None."""


def build(
    graph: Graph, model: QuantizedModel, *, free: bool, switched: bool = True, adjuster: Adjuster | None = None
) -> Network:
    """Simulate ``model``, which was made from ``graph``. ``free``: for any number of samples at once.

    ``switched``: with a switch a layer. ``adjuster`` is asked about each layer with weights. Inputs that it adds, as
    placeholders, become inputs of the graph under their own names.
    """
    import tensorflow as tf

    with tf.Graph().as_default() as tf_graph:
        import_graph(graph, tf_graph)
        work = _Building(tf, graph, tf_graph, model, free, switched, adjuster)
        with tf.name_scope("quantized"):
            work.inputs()
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
    adjuster: Adjuster | None
    values: dict[int, _Values] = field(default_factory=dict)
    at: dict[TensorRef, Any] = field(default_factory=dict)
    """The quantized path's real values, by the tensor of the graph that they stand for."""
    layers: list[SimulatedLayer] = field(default_factory=list)
    wires: dict[str, Wires] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refs = match(self.graph, self.model)
        self.fragments = Fragments(self.tf, self.graph, self.tf_graph, computed(self.graph))
        self.editor = GraphEditor(self.graph)

    # The walk

    def inputs(self) -> None:
        """Inputs of the model; integer ones are rounded as ``runtime.interpreter.quantize`` does."""
        for tensor in self.model.inputs.values():
            ref = self.refs[tensor.index]
            value = self.fragments.tensor(ref)
            self.at[ref] = value
            self.values[tensor.index] = _Values(value)
            if tensor.quantized and value.dtype == self.tf.float32:
                self._round(tensor, self.values[tensor.index], INPUT, round_half_away, tensor.name)

    def visit(self, operator: Operator) -> None:
        """Add one operator."""
        if operator.op == "DEQUANTIZE":
            self._dequantize(operator)
        elif operator.op == "QUANTIZE" and operator.data and not operator.data[0].quantized:
            self._quantize(operator)
        elif any(tensor.quantized for tensor in operator.outputs):
            self._layer(operator)
        else:
            self._float(operator)

    def _dequantize(self, operator: Operator) -> None:
        output = operator.outputs[0]
        if operator.data and operator.data[0].index in self.values:
            before = self.values[operator.data[0].index]
            self._know(output, _Values(before.real, None, before.layer))

    def _quantize(self, operator: Operator) -> None:
        """Float values on the grid of the output: XNNPACK multiplies, and rounds half to even."""
        source, output = operator.data[0], operator.outputs[0]
        if source.index not in self.values:
            self._float(operator)
            return
        is_input = any(source.index == tensor.index for tensor in self.model.inputs.values())
        self._round(output, self.values[source.index], INPUT if is_input else operator.op, round_half_even, source.name)

    def _round(self, output: Tensor, before: _Values, op: str, rounding: Any, name: str) -> None:
        ref = self.refs.get(output.index)
        layer = self._describe(output, op, ref, name.split(";")[0], (before.layer,) if before.layer else (), ())
        scaled = before.real / output.scale if rounding is round_half_away else before.real * (1 / output.scale)
        grid = self._clipped(rounding(self.tf, scaled), output)
        real, grid = self._chosen(layer, output, before.real, grid)
        self._know(output, _Values(real, grid, layer.name))
        self.wires[layer.name] = Wires(_ref(real), ref)

    def _layer(self, operator: Operator) -> None:
        names = tuple(dict.fromkeys(self.values[t.index].layer for t in operator.data if t.index in self.values))
        output = operator.outputs[0]
        ref = self.refs.get(output.index)
        head = self._head(ref, operator)
        layer = self._describe(
            output,
            operator.op,
            ref,
            layer_name(output, ref),
            tuple(filter(None, names)),
            _weight_scales(operator),
            head.name if head else "",
        )
        floats = {one.index: self._floating(operator, one, layer.name) for one in operator.outputs}
        made = self._integers(operator, layer, head)
        for one in operator.outputs:
            floating = floats[one.index]
            found = made if made is not None and one is output else self._rounded(one, floating)
            if found is None:
                self.notes.append(
                    f"{operator.op} '{layer.name}' is not simulated: its place in the graph is not known."
                )
                continue
            real, grid = self._chosen(layer, one, floating, found.grid)
            self._know(one, _Values(real, grid, layer.name))
            if one is output:
                self.wires[layer.name] = self._wired(operator, ref, head, real, found)

    def _float(self, operator: Operator) -> None:
        """An operator that stays in float, or gives no real values."""
        for output in operator.outputs:
            ref = self.refs.get(output.index)
            if ref is not None:
                self._know(output, _Values(self.fragments.copy(ref, self._sources(operator))))

    def finish(self) -> Network:
        outputs = {}
        for spec in self.graph.outputs:
            real = self.at.get(spec.ref)
            if real is None:
                real = self.fragments.copy(spec.ref, self.at)
            outputs[spec.key] = _ref(self.tf.identity(real))
        placeholders = [op for op in self.tf_graph.get_operations() if op.type == "Placeholder"]
        known = {spec.ref.node for spec in self.graph.inputs}
        added = [
            TensorSpec(op.name, TensorRef(op.name), op.outputs[0].dtype.name, _shape(op.outputs[0]))
            for op in placeholders
            if op.name not in known and op.name not in self.graph.nodes
        ]
        both = from_graph_def(self.tf_graph.as_graph_def(), (*self.graph.inputs, *added), self.graph.outputs)
        switches = {name: op.op.name for name, op in self.switches.items()}
        return Network(both, tuple(self.layers), self.wires, switches, outputs, tuple(self.notes))

    # Parts of a layer

    def _describe(
        self,
        output: Tensor,
        op: str,
        ref: TensorRef | None,
        name: str,
        inputs: tuple[str, ...],
        weight_scales: tuple[float, ...],
        node: str = "",
    ) -> SimulatedLayer:
        """A new layer, with a switch."""
        taken = {layer.name for layer in self.layers}
        name = name if name not in taken else f"{name}#{output.index}"
        can = self.switched and ref is not None
        layer = SimulatedLayer(
            name,
            op,
            node or (ref.node if ref else ""),
            float(output.scale),
            output.zero_point,
            weight_scales,
            inputs,
            can,
        )
        self.layers.append(layer)
        if can:
            self.switches[name] = self.tf.compat.v1.placeholder(self.tf.bool, (), f"floating_{len(self.layers)}")
        return layer

    def _integers(self, operator: Operator, layer: SimulatedLayer, head: Node | None) -> Computed | None:
        """What the integer kernel computes; None where there is no kernel of its own."""
        kernel = KERNELS.get(operator.op)
        grids = [self._grid(tensor, layer) for tensor in operator.inputs]
        if kernel is None or any(
            grid is None and tensor is not None and tensor.value is None
            for grid, tensor in zip(grids, operator.inputs, strict=True)
        ):
            return None
        adjust = None
        if self.adjuster is not None and operator.op in WEIGHTED:
            before = self._before_activation(self.refs.get(operator.outputs[0].index), head)
            adjust = None if before is None else self.adjuster(self.tf, layer, self.fragments.tensor(before))
        try:
            return kernel(Call(self.tf, operator, grids, self.free, adjust))
        except NotConstantError:
            return None

    def _grid(self, tensor: Tensor | None, layer: SimulatedLayer) -> Any:
        if tensor is None:
            return None
        if tensor.value is not None:
            return (tensor.value.astype(np.float32) - np.float32(tensor.zero_point)) if tensor.quantized else None
        values = self.values.get(tensor.index)
        if values is None or values.grid is None:
            return None
        switch = self.switches.get(layer.name)
        return values.grid if switch is None else self.tf.raw_ops.Switch(data=values.grid, pred=switch).output_false

    def _floating(self, operator: Operator, output: Tensor, layer: str) -> Any:
        """The output computed in float from what the quantized path holds; None where that is not possible."""
        ref = self.refs.get(output.index)
        switch = self.switches.get(layer)
        if ref is None:
            return None
        sources = self._sources(operator)
        if operator.op in KERNELS:
            if switch is None:
                return None
            _, borders = self.fragments.nodes(ref, sources.__contains__)
            sources = {
                one: self.tf.raw_ops.Switch(data=sources[one], pred=switch).output_true for one in sorted(borders)
            }
        return self.fragments.copy(ref, sources)

    def _sources(self, operator: Operator) -> dict[TensorRef, Any]:
        own = {
            self.refs[tensor.index]: self.values[tensor.index].real
            for tensor in operator.data
            if tensor.index in self.refs and tensor.index in self.values
        }
        return {**self.at, **own}

    def _rounded(self, output: Tensor, floating: Any) -> Computed | None:
        return None if floating is None else Computed(self._clipped(self._to_grid(floating, output), output))

    def _to_grid(self, real: Any, output: Tensor) -> Any:
        return round_half_even(self.tf, real * (1 / output.scale))

    def _clipped(self, grid: Any, output: Tensor) -> Any:
        low, high = output.bounds
        return self.tf.clip_by_value(grid, np.float32(low), np.float32(high))

    def _chosen(self, layer: SimulatedLayer, output: Tensor, floating: Any, grid: Any) -> tuple[Any, Any]:
        """Real values and grid, by the layer's switch: only the branch that is wanted is computed."""
        switch = self.switches.get(layer.name)
        if switch is None or floating is None:
            return grid * output.scale, grid
        ops = self.tf.raw_ops
        exact = ops.Switch(data=floating, pred=switch).output_true
        whole = ops.Switch(data=grid, pred=switch).output_false
        rounded = self._clipped(self._to_grid(exact, output), output)
        real = ops.Merge(inputs=[exact, whole * output.scale]).output
        return real, ops.Merge(inputs=[rounded, whole]).output

    def _know(self, tensor: Tensor, values: _Values) -> None:
        self.values[tensor.index] = values
        ref = self.refs.get(tensor.index)
        if ref is not None:
            self.at[ref] = values.real

    # Where a layer is in the graph

    def _head(self, ref: TensorRef | None, operator: Operator) -> Node | None:
        """The one node with weights that the operator was made from."""
        if ref is None or operator.op not in WEIGHTED:
            return None
        nodes, _ = self.fragments.nodes(ref, self._sources(operator).__contains__)
        heads = [node for node in nodes if node.op in LAYERS]
        return heads[0] if len(heads) == 1 else None

    def _before_activation(self, ref: TensorRef | None, head: Node | None) -> TensorRef | None:
        if head is None or ref is None:
            return None
        found = fusion(self.editor, head)
        if found.tail != ref.node:
            return None
        return self.graph.nodes[found.tail].inputs[0] if found.activation else TensorRef(found.tail)

    def _wired(self, operator: Operator, ref: TensorRef | None, head: Node | None, real: Any, made: Computed) -> Wires:
        weighted = operator.op in WEIGHTED
        data = operator.data[0] if operator.data else None
        return Wires(
            real=_ref(real),
            floating=ref,
            sums=_ref(made.sums) if made.sums is not None else None,
            step=made.step,
            floating_sums=self._before_activation(ref, head) if weighted else None,
            data=_ref(self.values[data.index].real) if data is not None and data.index in self.values else None,
            floating_data=(
                head.inputs[LAYERS[head.op].data] if head else self.refs.get(data.index) if data is not None else None
            ),
        )


def _weight_scales(operator: Operator) -> tuple[float, ...]:
    place = WEIGHTED.get(operator.op)
    tensor = operator.inputs[place] if place is not None else None
    return () if tensor is None else tuple(map(float, tensor.scales))


def _shape(tensor: Any) -> Shape:
    # In graphs of TensorFlow 1.6 and before, a placeholder's shape () means any.
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def _ref(tensor: Any) -> TensorRef:
    return TensorRef(tensor.op.name, tensor.value_index)
