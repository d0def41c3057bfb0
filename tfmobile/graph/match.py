"""Look at a graph: follow edges through what changes nothing, read constants and constant expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from tfmobile.graph.model import Array, Attr, DType, Node, TensorRef

PASS_THROUGH = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "CheckNumerics", "CheckNumericsV2", "Snapshot", "Print"}
)
"""Ops whose first output is their first input, at inference."""

CONTROL_FLOW = frozenset(
    f"{prefix}{name}"
    for name in ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "ControlTrigger")
    for prefix in ("", "Ref", "_")
) | {"_SwitchN", "Abort"}
"""Ops of TF1 dataflow control flow: where a value may be dead, or belong to a loop's frame."""

FUNCTIONAL = frozenset(
    {"If", "StatelessIf", "While", "StatelessWhile", "Case", "StatelessCase", "For", "PartitionedCall"}
    | {"StatefulPartitionedCall", "SymbolicGradient", "RemoteCall", "MapDefun"}
)
"""Ops that call functions of the library."""


class Nodes(Protocol):
    """A Graph's nodes, or an editor."""

    def __getitem__(self, name: str, /) -> Node: ...


def origin(nodes: Nodes, ref: TensorRef) -> TensorRef:
    """The tensor that ``ref`` is a copy of: back through Identity and its like."""
    seen: set[str] = set()
    while ref.index == 0 and ref.node not in seen:
        node = nodes[ref.node]
        if node.op not in PASS_THROUGH or not node.inputs:
            break
        seen.add(ref.node)
        ref = node.inputs[0]
    return ref


def source(nodes: Nodes, ref: TensorRef) -> Node:
    """The node that makes the tensor ``ref`` is a copy of."""
    return nodes[origin(nodes, ref).node]


def attr_dtype(node: Node, key: str = "T") -> str:
    """A dtype attribute's name, or an empty string."""
    found = node.attrs.get(key)
    return found.name if isinstance(found, DType) else ""


def attr_text(node: Node, key: str, default: str) -> str:
    """A string attribute."""
    found: Attr = node.attrs.get(key)
    return found.decode() if isinstance(found, bytes) else default


_ELEMENTWISE: Mapping[str, Callable[..., Array]] = {
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Div": np.divide,
    "Pow": np.power,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Rsqrt": lambda x: 1.0 / np.sqrt(x),
    "Reciprocal": lambda x: 1.0 / x,
    "Inv": lambda x: 1.0 / x,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
}


_REMEMBER = 2**16
"""Larger values are computed again when asked for, so as not to hold all weights in float64."""


class Constants:
    """The values of constants and of element-wise float expressions of them, in float64. Remembers what it computed."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._known: dict[TensorRef, Array | None] = {}

    def __call__(self, ref: TensorRef) -> Array | None:
        """The value of ``ref``, or None when it depends on an input or on an op not known here."""
        if ref not in self._known and self._read(ref):
            self._visit(ref)
        return self._evaluated(ref)

    def _visit(self, start: TensorRef) -> None:
        """Evaluate what ``start`` is computed from, deepest first, without recursion: chains can be very long."""
        waiting, entered = [start], set[TensorRef]()
        while waiting:
            ref = waiting.pop()
            if ref in self._known:
                continue
            if ref in entered:
                if ref != start:
                    self._evaluated(ref)
                continue
            entered.add(ref)
            waiting.append(ref)
            waiting.extend(item for item in self._read(ref) if item not in entered and self._read(item))

    def _read(self, ref: TensorRef) -> tuple[TensorRef, ...]:
        """What the value of ``ref`` is computed from, when it can be computed."""
        node = self._nodes[ref.node]
        if node.op in _ELEMENTWISE:
            return node.inputs
        return node.inputs[:1] if node.op in PASS_THROUGH or node.op in ("Cast", "Reshape", "Squeeze") else ()

    def _evaluated(self, ref: TensorRef) -> Array | None:
        if ref in self._known:
            return self._known[ref]
        self._known[ref] = None  # ends a cycle
        value = self._value(ref)
        if value is not None and value.size > _REMEMBER:
            del self._known[ref]
        else:
            self._known[ref] = value
        return value

    def _value(self, ref: TensorRef) -> Array | None:
        node = self._nodes[ref.node]
        if node.op == "Const":
            value = node.value
            return None if value is None or not _is_float(value) else value.astype(np.float64)
        if ref.index or not node.inputs:
            return None
        if node.op in PASS_THROUGH:
            return self(node.inputs[0])
        if node.op == "Cast" and _is_wide(attr_dtype(node, "DstT")):
            return self(node.inputs[0])
        if node.op in ("Reshape", "Squeeze"):  # the bias of a Keras 3 DepthwiseConv2D goes through both
            return self._reshaped(node)
        return self._computed(node)

    def _reshaped(self, node: Node) -> Array | None:
        value = self(node.inputs[0])
        if value is None:
            return None
        try:
            if node.op == "Squeeze":
                axes = node.attrs.get("squeeze_dims") or tuple(at for at, size in enumerate(value.shape) if size == 1)
                return np.squeeze(value, axis=tuple(axes))
            shape = self._nodes[origin(self._nodes, node.inputs[1]).node].value
            return None if shape is None else value.reshape(shape.astype(int))
        except ValueError:  # shapes that do not fit
            return None

    def _computed(self, node: Node) -> Array | None:
        function = _ELEMENTWISE.get(node.op)
        if function is None:
            return None
        values = [self(item) for item in node.inputs]
        if any(value is None for value in values):
            return None
        with np.errstate(all="ignore"):
            try:
                return np.asarray(function(*values), dtype=np.float64)
            except ValueError:  # shapes that do not broadcast
                return None


def _is_float(value: Array) -> bool:
    return value.dtype.kind == "f" or value.dtype.name == "bfloat16"


def _is_wide(dtype: str) -> bool:
    return dtype in ("float32", "float64")
