"""Scalars that are known before the model runs: what decides on branches."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from tfmobile.graph.match import PASS_THROUGH, Nodes
from tfmobile.graph.model import Node, TensorRef

Scalar: TypeAlias = "bool | int | float"
Assume: TypeAlias = "Callable[[Node], Scalar | None]"
"""The value to take for a placeholder, or None."""

_LOGIC: Mapping[str, Callable[..., Scalar]] = {
    "LogicalNot": operator.not_,
    "LogicalAnd": lambda x, y: x and y,
    "LogicalOr": lambda x, y: x or y,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Equal": operator.eq,
    "NotEqual": operator.ne,
}
_COPIES = PASS_THROUGH | {"Switch", "RefSwitch"}  # a Switch hands on its input, where it hands on anything
_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})
_DEPTH = 100


def nothing(_: Node) -> None:
    """Assume nothing of placeholders."""


class Scalars:
    """The values of scalar constants, and of logic and comparisons of them. Remembers what it found."""

    def __init__(self, nodes: Nodes, assume: Assume = nothing) -> None:
        self._nodes = nodes
        self._assume = assume
        self._known: dict[TensorRef, Scalar | None] = {}

    def __call__(self, ref: TensorRef, depth: int = 0) -> Scalar | None:
        """The value of ``ref``, or None when it is no scalar, or depends on an input or on an op not known here."""
        if ref not in self._known:
            self._known[ref] = None  # ends a cycle
            self._known[ref] = self._value(ref, depth) if depth < _DEPTH else None
        return self._known[ref]

    def _value(self, ref: TensorRef, depth: int) -> Scalar | None:
        node = self._nodes[ref.node]
        if node.op in _COPIES and node.inputs:
            return self(node.inputs[0], depth + 1)
        if ref.index:
            return None
        if node.op == "Const":
            return _constant(node)
        if node.op in _PLACEHOLDERS:
            return self._assume(node)
        if node.op == "Cast":
            return _cast(node, self(node.inputs[0], depth + 1))
        if node.op not in _LOGIC:
            return None
        values = [self(item, depth + 1) for item in node.inputs]
        return None if None in values else bool(_LOGIC[node.op](*values))


def _constant(node: Node) -> Scalar | None:
    value = node.value
    if value is None or value.ndim or value.dtype.kind not in "biuf":
        return None
    found: Scalar = value.item()
    return found


def _cast(node: Node, value: Scalar | None) -> Scalar | None:
    """The value as it is after a Cast to bool or to a wide type; narrow integers wrap around, and are left."""
    kind = getattr(node.attrs.get("DstT"), "name", "")
    if value is None:
        return None
    if kind == "bool":
        return bool(value)
    if kind in ("int32", "int64"):
        return int(value) if abs(value) < 2**31 else None
    return value if kind in ("float32", "float64") else None
