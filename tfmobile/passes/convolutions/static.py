"""What is known of a graph before it runs: shapes, and constants that are whole numbers."""

from __future__ import annotations

from tfmobile.errors import TfmobileError
from tfmobile.graph.match import Nodes, source
from tfmobile.graph.model import Array, Graph, Shape, TensorRef
from tfmobile.graph.shapes import infer_shapes


class Shapes:
    """The shapes of the tensors of ``graph``, inferred when first asked for; None where they are not known."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[TensorRef, Shape] | None = None

    def __call__(self, ref: TensorRef) -> Shape:
        if self._known is None:
            try:
                self._known = infer_shapes(self._graph)
            except TfmobileError:  # an op that this TensorFlow does not have
                self._known = {}
        return self._known.get(ref)

    def size(self, ref: TensorRef, axis: int) -> int | None:
        """The size of one axis, when it is fixed."""
        shape = self(ref)
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None


def whole_numbers(nodes: Nodes, ref: TensorRef) -> Array | None:
    """The value of a constant of integers."""
    value = source(nodes, ref).value
    return value if value is not None and value.dtype.kind in "iu" else None


def number_list(nodes: Nodes, ref: TensorRef) -> tuple[int, ...] | None:
    """The value of a constant of integers as a list; one number is a list of one."""
    value = whole_numbers(nodes, ref)
    return None if value is None else tuple(int(item) for item in value.reshape(-1))


def pairs(nodes: Nodes, ref: TensorRef) -> tuple[tuple[int, int], ...] | None:
    """Constant paddings or crops: before and after, for each axis."""
    value = whole_numbers(nodes, ref)
    if value is None or value.ndim != 2 or value.shape[1] != 2:
        return None
    return tuple((int(before), int(after)) for before, after in value)
