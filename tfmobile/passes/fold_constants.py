"""fold-constants: compute what depends on constants only, once and for all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.errors import TfmobileError
from tfmobile.graph.attributes import compact
from tfmobile.graph.edit import GraphEditor, constant, in_order, needed
from tfmobile.graph.match import CONTROL_FLOW, FUNCTIONAL
from tfmobile.graph.model import Array, DType, Graph, Node, RawAttr, Shape, TensorRef
from tfmobile.graph.ops import is_stateful
from tfmobile.graph.run import Runner
from tfmobile.passes.static_shapes import fix_shapes

_NEVER = CONTROL_FLOW | FUNCTIONAL | {"Placeholder", "PlaceholderWithDefault", "Const", "NoOp", "PlaceholderV2"}
_HANDLES = frozenset({"resource", "variant"})
_FAKE_QUANT = "FakeQuant"


@dataclass(frozen=True)
class FoldConstants:
    """Replace nodes whose inputs are all constant, and shapes that are fixed, by Const nodes of the same name.

    Never folded: random and stateful ops, control flow, function calls, FakeQuant (it carries the ranges), and results
    of more than ``limit_bytes`` that are larger than the constants they come from (a Fill or Tile).

    ``clear_output_shapes``, an argument of the Graph Transform Tool, changes nothing: the ``_output_shapes`` a file
    may hold go stale when a pass rewires the graph, and are dropped whenever a model is read.
    """

    name: ClassVar[str] = "fold-constants"
    keeps_answer: ClassVar[bool] = True
    clear_output_shapes: bool = True
    limit_bytes: int = 16384

    def apply(self, graph: Graph) -> PassResult:
        """``changed`` counts the folds; ``skipped`` names each result kept because of its size."""
        fixed, count = fix_shapes(graph)
        result = self._fold(fixed)
        if not count:
            return result
        what = f"Fixed {count} {'shape' if count == 1 else 'shapes'} that the input shapes decide."
        return dataclasses.replace(result, changed=(what, *result.changed))

    def _fold(self, graph: Graph) -> PassResult:
        foldable, sizes = _foldable(graph)
        if not foldable:
            return PassResult(graph)
        try:
            with Runner(_constant_part(graph, foldable), ()) as runner:
                wanted, skipped = self._frontier(graph, foldable, sizes, runner)
                found = runner.run({}, wanted)
        except TfmobileError as error:
            return PassResult(graph, (), (f"The constants cannot be computed: {error.why or error.what}",))
        values = {ref: compact(found[str(ref)]) for ref in wanted}
        return self._put(graph, values, sizes, tuple(skipped))

    def _frontier(
        self, graph: Graph, foldable: Mapping[str, Node], sizes: Mapping[str, int], runner: Runner
    ) -> tuple[list[TensorRef], list[str]]:
        """The constant tensors that something else reads; where one is too large, those it is made of."""
        read: dict[str, set[TensorRef]] = {}
        skipped: list[str] = []

        def reads(refs: Iterable[TensorRef]) -> None:
            for ref in refs:
                if ref.node in foldable:
                    read.setdefault(ref.node, set()).add(ref)

        reads(spec.ref for spec in graph.outputs)
        for node in graph:
            if node.name not in foldable:
                reads(node.inputs)
        wanted: list[TensorRef] = []
        for node in reversed(list(foldable.values())):
            refs = sorted(read.get(node.name, ()))
            size = sum(_bytes(*runner.type_of(ref)) for ref in refs)
            if refs and self._too_large(size, sizes[node.name]):
                skipped.append(_too_large_text(node, size))
                reads(node.inputs)
            else:
                wanted.extend(refs)
        return wanted, skipped

    def _too_large(self, size: int, from_bytes: int) -> bool:
        return size > self.limit_bytes and size > from_bytes

    def _put(
        self, graph: Graph, values: Mapping[TensorRef, Array], sizes: Mapping[str, int], skipped: tuple[str, ...]
    ) -> PassResult:
        editor = GraphEditor(graph)
        late: list[str] = []
        count = 0
        for ref, value in values.items():
            if self._too_large(value.nbytes, sizes[ref.node]):
                late.append(_too_large_text(graph.nodes[ref.node], value.nbytes))
                continue
            count += _replace(editor, ref, value)
        if not count:
            return PassResult(graph, (), skipped + tuple(late))
        result = editor.finish()
        what = f"Computed {count} {'constant' if count == 1 else 'constants'} ({len(graph) - len(result)} nodes fewer)."
        return PassResult(result, (what,), skipped + tuple(late))


def _foldable(graph: Graph) -> tuple[dict[str, Node], dict[str, int]]:
    """The nodes that depend on constants only, in order; and for each the bytes of the constants it comes from."""
    inputs = {spec.ref.node for spec in graph.inputs}
    sizes: dict[str, int] = {}
    foldable: dict[str, Node] = {}
    for node in in_order(graph):
        if node.name in inputs:
            continue
        value = node.value
        if value is not None:
            sizes[node.name] = _stored(value)
        elif _can_fold(node) and all(name in sizes for name in (*(ref.node for ref in node.inputs), *node.controls)):
            foldable[node.name] = node
            sizes[node.name] = sum(sizes[name] for name in {ref.node for ref in node.inputs})
    return foldable, sizes


def _can_fold(node: Node) -> bool:
    if node.op in _NEVER or node.op.startswith(_FAKE_QUANT) or is_stateful(node.op):
        return False
    if any(isinstance(value, RawAttr) for value in node.attrs.values()):
        return False
    kinds = [value for item in node.attrs.values() for value in (item if isinstance(item, tuple) else (item,))]
    return not any(isinstance(kind, DType) and kind.name in _HANDLES for kind in kinds)


def _constant_part(graph: Graph, foldable: Mapping[str, Node]) -> Graph:
    names = needed(graph.nodes, foldable)
    nodes = {name: graph.nodes[name] for name in graph.nodes if name in names}
    return dataclasses.replace(graph, nodes=nodes, inputs=(), outputs=(), library=b"")


def _replace(editor: GraphEditor, ref: TensorRef, value: Array) -> int:
    """Put the constant in the place of the node; one of several outputs gets a node of its own."""
    node = editor[ref.node]
    others = {item.index for reader in editor.consumers(ref.node) for item in reader.inputs if item.node == ref.node}
    others.update(item.index for item in editor.outputs if item.node == ref.node)
    if others <= {0} and ref.index == 0:
        editor.replace(constant(ref.node, value))
        return 1
    if ref in editor.outputs:
        return 0
    editor.redirect(ref, editor.add_constant(f"{node.name}/{ref.index}", value, beside=node.name))
    return 1


def _bytes(shape: Shape, dtype: str) -> int:
    """The size of a tensor; 0 where it is not known before it is computed."""
    if shape is None or None in shape:
        return 0
    count = 1
    for size in shape:
        count *= size or 0
    return count * _WIDTHS.get(dtype, 4)


_WIDTHS: Mapping[str, int] = {
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("int8", "uint8", "bool"), 1),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    "complex128": 16,
}


def _stored(value: Array) -> int:
    """The bytes a constant takes in a file: a fill of one value takes one."""
    return int(value.itemsize) if value.size > 1 and not any(value.strides) else int(value.nbytes)


def _too_large_text(node: Node, size: int) -> str:
    return f"Left '{node.name}' ({node.op}): its result of {size:,} bytes is larger than what it comes from."
