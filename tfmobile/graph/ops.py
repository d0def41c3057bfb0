"""What TensorFlow's op registry knows about an op."""

from __future__ import annotations

import functools


@functools.cache
def is_stateful(op: str) -> bool:
    """Whether running the op twice may give two answers or change something; true for an op that is not known."""
    from tensorflow.python.framework import op_def_registry

    found = op_def_registry.get(op)
    return found is None or bool(found.is_stateful)
