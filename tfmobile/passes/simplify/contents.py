"""Values as what they hold, to compare and to hash."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable

import numpy as np

from tfmobile.graph.attributes import compact
from tfmobile.graph.model import Array, Attr, Node


class Contents:
    """The contents of constants, by hash. Only those that another may equal are read: of the same dtype and shape."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._alike: dict[Hashable, int] = {}
        for node in nodes:
            value = node.value
            if value is not None:
                form = _form(value)
                self._alike[form] = self._alike.get(form, 0) + 1

    def __call__(self, name: str, value: Array) -> Hashable:
        """What the constant ``name`` holds: the same for equal ones only."""
        form = _form(value)
        return (form, content(value)) if self._alike[form] > 1 else (form, name)


def content(array: Array) -> Hashable:
    """The bytes of an array in short; those of one value where it is a fill, which is never written out."""
    if array.dtype.kind in "OSU":
        return tuple(item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist())
    value = array if _is_view_of_one(array) else compact(array)
    if _is_view_of_one(value):
        return ("fill", value[(0,) * value.ndim].tobytes())
    flat = np.ascontiguousarray(value).reshape(-1)
    return hashlib.sha256(flat.view(np.uint8).data).digest()


def hashable(value: Attr) -> Hashable:
    """An attribute's value, such that equal ones are equal; 0.0 and -0.0 are not, nor are 1, 1.0 and true."""
    if isinstance(value, tuple):
        return tuple(hashable(item) for item in value)
    if isinstance(value, np.ndarray):
        return (*_form(value), content(value))
    if isinstance(value, (bool, int, float)):
        return (type(value).__name__, repr(value))
    found: Hashable = value
    return found


def _form(value: Array) -> tuple[Hashable, tuple[int, ...]]:
    return ("string" if value.dtype.kind in "OSU" else value.dtype), value.shape


def _is_view_of_one(array: Array) -> bool:
    wide = [stride for stride, size in zip(array.strides, array.shape, strict=True) if size > 1]
    return array.size > 1 and not any(wide)
