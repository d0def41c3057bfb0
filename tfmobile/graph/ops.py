"""What TensorFlow's op registry knows about an op."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tfmobile.graph.attributes import decode_attr
from tfmobile.graph.model import Attr, DType, Node


@functools.cache
def is_stateful(op: str) -> bool:
    """Whether running the op twice may give two answers or change something; true for an op that is not known."""
    found = _definition(op)
    return found is None or bool(found.is_stateful)


@functools.cache
def default_attributes(op: str) -> Mapping[str, Attr] | None:
    """The attributes that have a default, with it; None for an op that is not known."""
    found = _definition(op)
    if found is None:
        return None
    return {item.name: decode_attr(item.default_value) for item in found.attr if item.HasField("default_value")}


def output_dtypes(node: Node) -> tuple[str, ...] | None:
    """The dtypes of all outputs, by TensorFlow's names; None where the op or an attribute is not known."""
    found = _definition(node.op)
    if found is None:
        return None
    kinds: list[Attr] = []
    for item in found.output_arg:
        kinds.extend(_kinds(item, {**(default_attributes(node.op) or {}), **node.attrs}))
    return tuple(kind.name for kind in kinds) if all(isinstance(kind, DType) for kind in kinds) else None


def _kinds(item: Any, attrs: Mapping[str, Attr]) -> tuple[Attr, ...]:
    """The dtypes of one declared output, which may stand for several."""
    import tensorflow as tf

    if item.type_list_attr:
        several = attrs.get(item.type_list_attr)
        return several if isinstance(several, tuple) else (None,)
    kind = attrs.get(item.type_attr) if item.type_attr else DType(tf.dtypes.as_dtype(item.type).name)
    count = attrs.get(item.number_attr) if item.number_attr else 1
    return (kind,) * count if isinstance(count, int) else (None,)


@functools.cache
def _definition(op: str) -> Any:
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(op)
