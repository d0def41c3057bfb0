"""Where int8 inference rounds to 8 bits: from a graph to the tensors that need a range, and those that share one.

No range is decided here, and the graph is not changed. What puts FakeQuant into a graph, by given ranges or by ranges
that are learnt, starts from a Placement.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tfmobile.graph.edit import GraphEditor, in_order
from tfmobile.graph.match import CONTROL_FLOW, attr_dtype, source
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.scheme.composites import composites
from tfmobile.scheme.fusion import fusion
from tfmobile.scheme.int8 import (
    CLIPS,
    COMPUTES,
    FAKE_QUANTS,
    FIXED,
    JOINS,
    KEEPS,
    LAYERS,
    READS,
    Range,
    data_inputs,
)

Kind: TypeAlias = Literal["input", "computed", "fixed", "joined", "placed"]


@dataclass(frozen=True)
class Site:
    """An activation that int8 inference rounds to 8 bits.

    ``kind``: ``input`` is a model input; ``fixed`` has the range of FIXED; ``joined`` is the output of an op that puts
    several tensors of one range together; ``placed`` is the output of a FakeQuant that the graph has already;
    ``computed`` is all else. ``op`` makes it, with ``activation`` fused to it ("" for none). ``sources`` are the sites
    that the op reads. Sites of one ``group`` (a site of it stands for all) have one range, which holds ``constants``,
    the values of constants that the op joins with them.
    """

    tensor: TensorRef
    kind: Kind
    op: str
    activation: str
    sources: tuple[TensorRef, ...]
    group: TensorRef
    constants: Range | None


@dataclass(frozen=True)
class WeightSite:
    """Constant ``weights`` of the layer ``node``; ``data`` and ``output`` are the sites before and behind it.

    ``bias`` is the node that adds one, and the constant. ``batch_norm``: one comes behind the layer, and will be folded
    into the weights, which changes their range.
    """

    node: str
    weights: TensorRef
    data: TensorRef
    output: TensorRef
    bias: tuple[str, TensorRef] | None
    batch_norm: bool


@dataclass(frozen=True)
class Placement:
    """The sites in the order they are computed; ``left``: a sentence for each op that stays in float in any case."""

    sites: tuple[Site, ...]
    weights: tuple[WeightSite, ...]
    left: tuple[str, ...]


def place(graph: Graph) -> Placement:
    """Find the sites of ``graph``; one walk along its edges.

    A layer with its bias and activation is one: what lies between them has no site. An op that only moves values about
    (KEEPS) has its input's site. What depends on TF1 control flow is left in float.
    """
    walk = _Walk(graph)
    for node in in_order(graph):
        walk.visit(node)
    return walk.placement()


class _Walk:
    def __init__(self, graph: Graph) -> None:
        self._editor = GraphEditor(graph)
        self._inputs = {spec.ref for spec in graph.inputs}
        self._depends = {spec.ref.node for spec in graph.inputs}
        self._branched: set[str] = set()
        self._composites = composites(self._editor)
        self._inner = {name for one in self._composites.values() for name in one.inner}
        """Nodes that are part of an op that ends with a later one."""
        self._site_of: dict[str, TensorRef] = {}
        """Nodes whose outputs have the site of what they read."""
        self._placed = {node.inputs[0]: TensorRef(node.name) for node in graph if node.op in FAKE_QUANTS}
        """Tensors that a FakeQuant reads, and its output."""
        self._sites: dict[TensorRef, Site] = {}
        self._parents: dict[TensorRef, TensorRef] = {}
        """Of sites that share a range, as a forest; those that are not in it stand alone."""
        self._weights: list[WeightSite] = []
        self._left: list[str] = []

    def placement(self) -> Placement:
        left = list(self._left)
        if self._branched:
            left.append(f"Left {len(self._branched):,} nodes of TF1 control flow, and behind it, in float.")
        sites = (dataclasses.replace(site, group=self._group(site.tensor)) for site in self._sites.values())
        return Placement(tuple(sites), tuple(self._weights), tuple(left))

    def visit(self, node: Node) -> None:
        if node.name in self._depends:  # an input of the model
            return
        if any(ref.node in self._depends for ref in node.inputs):
            self._depends.add(node.name)
        if node.op in CONTROL_FLOW or any(ref.node in self._branched for ref in node.inputs):
            self._branched.add(node.name)
        elif node.name in self._depends and node.name not in self._inner:
            self._place(node)

    def _place(self, node: Node) -> None:
        if node.op in FAKE_QUANTS:
            self._wanted(TensorRef(node.name))
        elif "float32" not in (attr_dtype(node), attr_dtype(node, "Tparams")) or node.op in READS:
            return
        elif node.name in self._composites:
            found = self._composites[node.name]
            kind: Kind = "fixed" if found.op in FIXED else "computed"
            self._add(TensorRef(node.name), kind, found.op, (self._wanted(found.data),))
        elif node.op in KEEPS:
            self._keep(node)
        elif self._clips(node) and self._clips(self._editor.only_reader(TensorRef(node.name))):
            self._keep(node)  # with the next one it is RELU_N1_TO_1, or another clip
        elif node.op in JOINS:
            self._join(node)
        elif node.op in FIXED:
            self._add(TensorRef(node.name), "fixed", node.op, self._read(node))
        elif node.op in LAYERS:
            self._layer(node)
        elif node.op in COMPUTES and (node.op != "RealDiv" or node.inputs[1].node not in self._depends):
            self._compute(node)
        else:
            self._left.append(f"Left '{node.name}' ({node.op}) in float: TFLite has no int8 form of it.")

    def _keep(self, node: Node) -> None:
        data = self._data(node)
        if data:
            self._site_of[node.name] = self._site(data[0])

    def _clips(self, node: Node | None) -> bool:
        """Whether it is a Maximum or Minimum with a constant, which gives nothing new."""
        return node is not None and node.op in CLIPS and len(self._data(node)) == 1

    def _join(self, node: Node) -> None:
        tensor, sources = TensorRef(node.name), self._read(node)
        stored = [source(self._editor, node.inputs[place]).value for place in data_inputs(node.op, len(node.inputs))]
        values = [value for value in stored if value is not None and value.size and node.op not in CLIPS]
        constants = (
            (min(float(one.min()) for one in values), max(float(one.max()) for one in values)) if values else None
        )
        self._add(tensor, "joined", node.op, sources, constants=constants)
        for ref in sources:
            self._parents[self._group(ref)] = self._group(self._site(tensor))

    def _layer(self, node: Node) -> None:
        layer = LAYERS[node.op]
        weights = node.inputs[layer.weights]
        found, sources = fusion(self._editor, node), self._read(node)
        self._inner.update(found.inner)
        output = self._add(TensorRef(found.tail), "computed", node.op, sources, found.activation)
        if weights.node in self._depends:
            return
        if source(self._editor, weights).value is not None:
            data = self._site(node.inputs[layer.data])
            self._weights.append(WeightSite(node.name, weights, data, output, found.bias, found.batch_norm))
        elif not self._has_fake_quant(weights):
            why = "they are not constant; run fold_constants first"
            self._left.append(f"Left the weights of '{node.name}' ({node.op}) as they are: {why}.")

    def _compute(self, node: Node) -> None:
        found, sources = fusion(self._editor, node), self._read(node)
        self._inner.update(found.inner)
        self._add(TensorRef(found.tail), "computed", node.op, sources, found.activation)

    def _data(self, node: Node) -> list[TensorRef]:
        """The inputs of the node that hold data, and are not constant."""
        refs = [node.inputs[place] for place in data_inputs(node.op, len(node.inputs))]
        return [ref for ref in refs if ref.node in self._depends]

    def _read(self, node: Node) -> tuple[TensorRef, ...]:
        """The sites of the node's data; made where there is none yet, as behind an op that stays in float."""
        return tuple(dict.fromkeys(self._wanted(ref) for ref in self._data(node)))

    def _wanted(self, ref: TensorRef) -> TensorRef:
        tensor = self._site(ref)
        op = self._editor[tensor.node].op
        kind: Kind = "placed" if op in FAKE_QUANTS else "input" if tensor in self._inputs else "computed"
        return self._add(tensor, kind, op, ())

    def _add(
        self,
        tensor: TensorRef,
        kind: Kind,
        op: str,
        sources: tuple[TensorRef, ...],
        activation: str = "",
        constants: Range | None = None,
    ) -> TensorRef:
        """Add the site of the tensor, where there is none and the graph has no FakeQuant for it; what it is now."""
        if tensor in self._placed:
            return self._wanted(self._placed[tensor])
        self._sites.setdefault(tensor, Site(tensor, kind, op, activation, sources, tensor, constants))
        return tensor

    def _site(self, ref: TensorRef) -> TensorRef:
        return self._placed.get(ref) or self._site_of.get(ref.node, ref)

    def _has_fake_quant(self, weights: TensorRef) -> bool:
        """Whether weights come from a FakeQuant, perhaps reshaped behind it."""
        node = source(self._editor, weights)
        while node.op in ("Reshape", "Transpose"):
            node = source(self._editor, node.inputs[0])
        return node.op in FAKE_QUANTS

    def _group(self, tensor: TensorRef) -> TensorRef:
        while tensor in self._parents and self._parents[tensor] != tensor:
            above = self._parents[tensor]
            self._parents[tensor] = self._parents.get(above, above)
            tensor = above
        return tensor
