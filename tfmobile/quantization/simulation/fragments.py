"""The nodes of the float graph that one operator of the .tflite was made from, computed again on other inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tfmobile.graph.graphdef import to_graph_def
from tfmobile.graph.model import Graph, Node, TensorRef


class Fragments:
    """Copies of parts of ``graph``, which has been imported into ``tf_graph`` already."""

    def __init__(self, tf: Any, graph: Graph, tf_graph: Any, order: Mapping[str, int]) -> None:
        self._tf, self._graph, self._tf_graph, self._order = tf, graph, tf_graph, order

    def nodes(self, end: TensorRef, stops: Callable[[TensorRef], bool]) -> tuple[list[Node], set[TensorRef]]:
        """The computed nodes between ``end`` and the tensors that are stops, in execution order; and those tensors."""
        found: dict[str, Node] = {}
        borders: set[TensorRef] = set()
        waiting = [end]
        while waiting:
            ref = waiting.pop()
            if stops(ref):
                borders.add(ref)
            elif ref.node in self._order and ref.node not in found:
                found[ref.node] = self._graph.nodes[ref.node]
                waiting.extend(self._graph.nodes[ref.node].inputs)
        return sorted(found.values(), key=lambda node: self._order[node.name]), borders

    def copy(self, end: TensorRef, inputs: Mapping[TensorRef, Any]) -> Any:
        """The tensor ``end`` computed from ``inputs`` (graph tensor → tf.Tensor), constants shared."""
        nodes, borders = self.nodes(end, lambda ref: ref in inputs)
        if not nodes:
            return inputs[end]
        inner = {node.name for node in nodes}
        outer = {ref for node in nodes for ref in node.inputs if ref in borders or ref.node not in inner}
        mapped = {
            f"{ref.node}:{ref.index}": inputs[ref] if ref in borders else self.tensor(ref) for ref in sorted(outer)
        }
        part = dataclasses.replace(
            self._graph,
            nodes={node.name: dataclasses.replace(node, controls=(), device="") for node in nodes},
            inputs=(),
            outputs=(),
        )
        wanted = [f"{end.node}:{end.index}"]
        return self._tf.graph_util.import_graph_def(to_graph_def(part), mapped, wanted, name="fragment")[0]

    def tensor(self, ref: TensorRef) -> Any:
        """The tensor on the float path."""
        return self._tf_graph.get_tensor_by_name(f"{ref.node}:{ref.index}")
