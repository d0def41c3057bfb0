"""merge-duplicate-nodes: what is computed twice is computed once (common-subexpression elimination)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor, in_order
from tfmobile.graph.match import CONTROL_FLOW, FUNCTIONAL
from tfmobile.graph.model import DType, Graph, Node, RawAttr, TensorRef
from tfmobile.graph.ops import is_stateful
from tfmobile.passes.known_types import Types
from tfmobile.passes.simplify.contents import Contents, hashable

_NEVER = CONTROL_FLOW | FUNCTIONAL | {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "NoOp"}
_BACK = frozenset({"NextIteration", "RefNextIteration"})


@dataclass(frozen=True)
class MergeDuplicateNodes:
    """Keep one of all nodes that are sure to give the same: constants of the same dtype, shape and bytes; nodes of the
    same op, attributes and device on the same inputs. Both must wait for the same nodes. What reads merged nodes is
    merged in turn, all in one sweep along the edges.

    Of nodes that give the same, a model output stays, else the first. Another model output becomes an Identity of it.

    Never merged: random ops, also of the same seed, and others with a state; placeholders and model inputs; control
    flow and calls of functions; an Identity that is a model output, which is but a name. A node that leaves an
    attribute out is not the same as one that spells its default: ``add-default-attributes`` makes it so.

    The Graph Transform Tool did the same, but looked neither at model outputs nor at what nodes wait for.
    """

    name: ClassVar[str] = "merge-duplicate-nodes"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed``, with the count of each op; one in ``skipped`` for each kind of op left."""
        same, skipped = _same(graph)
        editor = GraphEditor(graph)
        kept = _kept(editor, graph, same, skipped) if same else {}
        if not kept:
            return PassResult(graph, (), tuple(skipped))
        _rewire(editor, graph, kept)
        ops = Counter(graph.nodes[name].op for name in kept)
        counts = ", ".join(f"{count} {op}" for op, count in sorted(ops.items()))
        what = f"Merged {len(kept)} {'node' if len(kept) == 1 else 'nodes'} with others that give the same: {counts}."
        return PassResult(editor.finish(prune=False), (what,), tuple(skipped))


def _same(graph: Graph) -> tuple[list[list[str]], list[str]]:
    """The nodes that give the same, at least two together; and sentences for those that only look so."""
    contents = Contents(graph)
    first: dict[str, str] = {}
    groups: dict[Hashable, list[str]] = {}
    looks: dict[Hashable, list[str]] = {}
    inputs = {spec.ref.node for spec in graph.inputs}
    names = {spec.ref.node for spec in graph.outputs if graph.nodes[spec.ref.node].op == "Identity"}
    for node in _ordered(graph):
        if node.op in _NEVER or node.name in inputs or node.name in names or _has_function(node):
            continue
        key = _key(node, first, contents)
        found = (looks if is_stateful(node.op) else groups).setdefault(key, [])
        found.append(node.name)
        if not is_stateful(node.op):
            first[node.name] = found[0]
    skipped = [_left(graph, found) for found in looks.values() if len(found) > 1]
    return [found for found in groups.values() if len(found) > 1], skipped


def _ordered(graph: Graph) -> list[Node]:
    """The nodes, each after all it reads, loops as if they ran once."""
    back = {node.name for node in graph if node.op in _BACK}
    if not back:
        return in_order(graph)
    once = {
        node.name: dataclasses.replace(node, inputs=tuple(ref for ref in node.inputs if ref.node not in back))
        for node in graph
    }
    return [graph.nodes[node.name] for node in in_order(dataclasses.replace(graph, nodes=once))]


def _has_function(node: Node) -> bool:
    return node.op != "Const" and any(isinstance(value, RawAttr) for value in node.attrs.values())


def _key(node: Node, first: Mapping[str, str], contents: Contents) -> Hashable:
    """What the node does and with what; the same for nodes that give the same."""
    value = node.value
    attrs = frozenset(
        (key, contents(node.name, value) if value is not None and key == "value" else hashable(item))
        for key, item in node.attrs.items()
    )
    inputs = tuple((first.get(ref.node, ref.node), ref.index) for ref in node.inputs)
    controls = frozenset(first.get(name, name) for name in node.controls)
    return node.op, node.device, attrs, inputs, controls


def _left(graph: Graph, names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3]) + (", …" if len(names) > 3 else "")
    op = graph.nodes[names[0]].op
    return f"Left {len(names)} {op} nodes on the same inputs ({shown}): each may give something else."


def _kept(
    editor: GraphEditor, graph: Graph, same: Sequence[Sequence[str]], skipped: list[str]
) -> dict[str, tuple[str, DType | None]]:
    """For each node to merge: the one that stands for it, and its dtype when its name must stay."""
    outputs = [name for names in same for name in names if editor.is_boundary(name)]
    types = Types(graph, outputs)
    found: dict[str, tuple[str, DType | None]] = {}
    for names in same:
        stays = next((name for name in names if editor.is_boundary(name)), names[0])
        for name in names:
            if name == stays:
                continue
            if not editor.is_boundary(name):
                found[name] = (stays, None)
                continue
            reason = _why_not(graph, editor, name, types)
            if reason:
                skipped.append(f"Left '{name}' ({graph.nodes[name].op}), which gives the same as '{stays}': {reason}.")
            else:
                found[name] = (stays, DType(types.dtype(TensorRef(name))))
    return found


def _why_not(graph: Graph, editor: GraphEditor, name: str, types: Types) -> str:
    read = {ref.index for node in editor.consumers(name) for ref in node.inputs if ref.node == name}
    read.update(spec.ref.index for spec in graph.outputs if spec.ref.node == name)
    if read - {0}:
        return "it is a model output with several outputs"
    return "" if types.dtype(TensorRef(name)) else "it is a model output of a type that is not known"


def _rewire(editor: GraphEditor, graph: Graph, kept: Mapping[str, tuple[str, DType | None]]) -> None:
    """Read the nodes that stay; remove the others, or make them an Identity."""
    for node in graph:
        if any(ref.node in kept for ref in node.inputs) or any(name in kept for name in node.controls):
            inputs = tuple(TensorRef(kept[ref.node][0], ref.index) if ref.node in kept else ref for ref in node.inputs)
            controls = dict.fromkeys(kept[name][0] if name in kept else name for name in node.controls)
            editor.update(node.name, inputs=inputs, controls=tuple(controls))
    for name, (stays, kind) in kept.items():
        if kind is None:
            editor.remove(name)
        else:
            editor.replace(Node(name, "Identity", (TensorRef(stays),), (), {"T": kind}, graph.nodes[name].device))
