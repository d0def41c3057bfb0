"""What is known of tensors before the model runs: their shapes and dtypes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tfmobile.errors import TfmobileError
from tfmobile.graph.edit import needed
from tfmobile.graph.model import Graph, Shape, TensorRef
from tfmobile.graph.shapes import infer_types


class Types:
    """Shapes and dtypes in ``graph`` as it was given, of the nodes ``names`` and all before them; else of all nodes.

    Inferred when first asked for; nothing is known when TensorFlow cannot tell (an op it does not have).
    """

    def __init__(self, graph: Graph, names: Iterable[str] | None = None) -> None:
        self._graph = graph
        self._names = None if names is None else list(names)
        self._known: dict[TensorRef, tuple[Shape, str]] | None = None

    def shape(self, ref: TensorRef) -> Shape:
        """The shape of ``ref``; None when even its rank is not known."""
        return self._types().get(ref, (None, ""))[0]

    def dtype(self, ref: TensorRef) -> str:
        """The dtype of ``ref``; empty when it is not known."""
        return self._types().get(ref, (None, ""))[1]

    def same_shape(self, one: TensorRef, other: TensorRef) -> bool:
        """Whether both are known to have the same shape, all of it fixed."""
        shape = self.shape(one)
        return shape is not None and None not in shape and shape == self.shape(other)

    def _types(self) -> dict[TensorRef, tuple[Shape, str]]:
        if self._known is None:
            try:
                self._known = infer_types(self._part())
            except TfmobileError:
                self._known = {}
        return self._known

    def _part(self) -> Graph:
        if self._names is None:
            return self._graph
        kept = needed(self._graph.nodes, self._names)
        return dataclasses.replace(
            self._graph,
            nodes={name: node for name, node in self._graph.nodes.items() if name in kept},
            inputs=tuple(spec for spec in self._graph.inputs if spec.ref.node in kept),
            outputs=(),
        )
