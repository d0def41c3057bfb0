"""A graph as its file has it, counted as the Graph Transform Tool's summarize_graph did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tfmobile.graph.functions import Library
from tfmobile.graph.model import DType, Graph, Node, Shape, ShapeAttr
from tfmobile.inspection.facts import EndFact, OpCount, PortFact, WrittenFacts

_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})
_NO_OUTPUTS = frozenset({"Const", "Assign", "NoOp", "Placeholder"})


def written_facts(graph: Graph) -> WrittenFacts:
    """All counts in one walk over the nodes and the function library."""
    library = Library(graph.library)
    inner = [item.op for name in library for item in library.definition(name).node_def]
    values = [value for node in graph if (value := node.value) is not None]
    read = {name for node in graph for name in (*(ref.node for ref in node.inputs), *node.controls)}
    return WrittenFacts(
        nodes=len(graph),
        inputs=tuple(_port(node) for node in graph if node.op == "Placeholder"),
        outputs=tuple(EndFact(node.name, node.op) for node in graph if _may_be_output(node, read)),
        variables=tuple(_port(node) for node in graph if node.op in _VARIABLES),
        constants=sum(node.op == "Const" for node in graph),
        constant_values=sum(value.size for value in values),
        constant_bytes=sum(value.size * value.dtype.itemsize for value in values),
        control_edges=sum(len(node.controls) for node in graph),
        devices=dict(Counter(node.device for node in graph if node.device)),
        functions=len(list(library)),
        function_nodes=len(inner),
        ops=histogram([*(node.op for node in graph), *inner]),
    )


def histogram(ops: Iterable[str]) -> tuple[OpCount, ...]:
    """The most frequent first."""
    return tuple(OpCount(op, count) for op, count in sorted(Counter(ops).items(), key=lambda item: (-item[1], item[0])))


def _may_be_output(node: Node, read: set[str]) -> bool:
    return node.name not in read and node.op not in _NO_OUTPUTS


def _port(node: Node) -> PortFact:
    dtype, shape = node.attrs.get("dtype"), node.attrs.get("shape")
    dims: Shape = shape.dims if isinstance(shape, ShapeAttr) else None
    return PortFact(node.name, node.name, dtype.name if isinstance(dtype, DType) else "", dims)
