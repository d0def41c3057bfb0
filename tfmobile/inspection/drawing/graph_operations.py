"""What is drawn of a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tfmobile.graph.match import CONTROL_FLOW, PASS_THROUGH, attr_text, origin
from tfmobile.graph.model import Attr, DType, Graph, Node, RawAttr, Shape, ShapeAttr, TensorRef
from tfmobile.graph.ops import is_stateful
from tfmobile.graph.text import array_text
from tfmobile.inspection.drawing.operation import Operation, Operations, by_name, window_text
from tfmobile.inspection.drawing.roles import INPUT, OUTPUT, role
from tfmobile.inspection.facts import GraphInspection, LayerFact
from tfmobile.inspection.graph_layers import constants, needed
from tfmobile.inspection.known_shapes import Shapes, known_shapes
from tfmobile.inspection.printing import count, shape

_ASK_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})
_SHORT = 12
_LONGEST = 160


def graph_operations(graph: Graph, found: GraphInspection) -> Operations:
    """The nodes the outputs need, but for constants, copies, and what only computes shapes."""
    return _Reader(graph, found).read()


class _Reader:
    def __init__(self, graph: Graph, found: GraphInspection) -> None:
        self.graph = graph
        self.nodes = needed(graph)
        self.constant = constants(self.nodes)
        self.of_shapes = _of_shapes(self.nodes, self.constant)
        self.shapes: Shapes = known_shapes(graph, [])
        self.layers: Mapping[str, LayerFact] = by_name(found.layers)
        self.warnings = {group.op: group.why for group in found.not_convertible}
        self.results = {origin(graph.nodes, spec.ref) for spec in graph.outputs}
        self.ends = {spec.ref.node: spec for spec in graph.inputs}

    def read(self) -> Operations:
        drawn = [node for node in self.nodes if self._is_drawn(node)]
        outputs = tuple(self._output(spec.key, spec.ref, spec.shape, spec.dtype) for spec in self.graph.outputs)
        return Operations((*map(self._operation, drawn), *outputs), tuple(self._hidden(len(drawn))))

    def _hidden(self, drawn: int) -> list[str]:
        copies = len(self.nodes) - drawn - len(self.constant) - len(self.of_shapes)
        counts = {"constant": len(self.constant), "copy": copies, "computation of a shape": len(self.of_shapes)}
        plurals = {"constant": "constants", "copy": "copies", "computation of a shape": "computations of shapes"}
        return [f"{number:,} {what if number == 1 else plurals[what]}" for what, number in counts.items() if number > 0]

    def _is_drawn(self, node: Node) -> bool:
        if node.name in self.ends:
            return True
        if node.name in self.constant or node.name in self.of_shapes:
            return TensorRef(node.name) in self.results
        return node.op not in PASS_THROUGH or not node.inputs

    def _operation(self, node: Node) -> Operation:
        end = self.ends.get(node.name)
        refs = [origin(self.graph.nodes, ref) for ref in node.inputs]
        fixed = self.constant | self.of_shapes
        moving = [ref.node for ref in refs if ref.node not in fixed or ref.node in self.ends]
        layer = self.layers.get(node.name)
        return Operation(
            key=node.name,
            name=end.key if end else node.name,
            op="Input" if end else node.op,
            inputs=tuple(dict.fromkeys(moving)),
            constants=len(refs) - len(moving),
            window=_window(node, self._weights(node)),
            shape=self.shapes.get(TensorRef(node.name)),
            dtype=_dtype(node),
            parameters=layer.parameters if layer else 0,
            parameter_bytes=layer.parameter_bytes if layer else 0,
            macs=layer.macs if layer else 0,
            facts=tuple(self._facts(node, layer)),
            warning=self.warnings.get(node.op, ""),
            end=INPUT if end else "",
        )

    def _weights(self, node: Node) -> Shape:
        return self.shapes.get(node.inputs[1]) if len(node.inputs) > 1 else None

    def _output(self, key: str, ref: TensorRef, dims: Shape, dtype: str) -> Operation:
        source = origin(self.graph.nodes, ref)
        facts = (("Tensor", str(ref)), ("Makes", f"{dtype} {shape(dims)}"))
        return Operation(
            f"output:{key}", key, "Output", (source.node,), shape=dims, dtype=dtype, facts=facts, end=OUTPUT
        )

    def _facts(self, node: Node, layer: LayerFact | None) -> list[tuple[str, str]]:
        rows = [("Makes", f"{_dtype(node)} {shape(self.shapes.get(TensorRef(node.name)))}".strip())]
        rows += [("Reads", self._input(ref)) for ref in node.inputs]
        rows += [("Waits for", name) for name in node.controls]
        if layer is not None and layer.parameters:
            rows.append(("Parameters", f"{layer.parameters:,} ({layer.parameter_bytes:,} bytes)"))
        if layer is not None and layer.macs != 0:
            rows.append(("MACs", "not known" if layer.macs is None else f"{layer.macs:,} ({count(layer.macs)})"))
        rows += [(key, _attribute(value)) for key, value in sorted(node.attrs.items()) if key != "value"]
        return [*rows, ("Device", node.device)] if node.device else rows

    def _input(self, ref: TensorRef) -> str:
        node = self.graph.nodes[origin(self.graph.nodes, ref).node]
        value = node.value
        if value is not None:
            return f"{ref}: constant {array_text(value, _SHORT)}"
        return f"{ref} {shape(self.shapes.get(ref))}"


def _of_shapes(nodes: Sequence[Node], constant: Collection[str]) -> set[str]:
    """The nodes that depend on shapes and constants only: how large a Reshape makes its output."""
    found: set[str] = set()
    for node in nodes:
        inner = node.inputs and all(ref.node in found or ref.node in constant for ref in node.inputs)
        if node.op in _ASK_SHAPES or (inner and node.name not in constant and _is_plain(node)):
            found.add(node.name)
    return found


def _is_plain(node: Node) -> bool:
    return node.op not in CONTROL_FLOW and role(node.op) != "control" and not is_stateful(node.op)


def _window(node: Node, weights: Shape) -> str:
    first = attr_text(node, "data_format", "NHWC").startswith("NC")
    where = slice(2, None) if first else slice(1, -1)
    strides, dilations = (_whole(node.attrs.get(key))[where] for key in ("strides", "dilations"))
    kernel = _whole(node.attrs.get("ksize"))[where]
    if role(node.op) in ("convolution", "depthwise"):
        kernel = tuple(size or 0 for size in weights[:-2]) if weights else ()
    elif not kernel:
        return ""
    return window_text(kernel, strides, dilations)


def _whole(value: Attr) -> tuple[int, ...]:
    return value if isinstance(value, tuple) and all(isinstance(one, int) for one in value) else ()


def _dtype(node: Node) -> str:
    found = node.attrs.get("DstT", node.attrs.get("T", node.attrs.get("dtype")))
    return found.name if isinstance(found, DType) else ""


def _attribute(value: Any) -> str:
    if isinstance(value, DType):
        return value.name
    if isinstance(value, ShapeAttr):
        return shape(value.dims)
    if isinstance(value, RawAttr):
        return f"{len(value.data):,} bytes"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")[:_LONGEST]
    if isinstance(value, tuple):
        return ", ".join(map(_attribute, value))[:_LONGEST]
    return str(value)[:_LONGEST]
