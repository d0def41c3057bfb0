"""fold-batch-norms: move the scale and shift after a convolution or dense layer into its weights and bias.

``γ·(w∗x + b − μ)/√(σ² + ε) + β = (s·w)∗x + (s·(b − μ) + β)`` with ``s = γ/√(σ² + ε)`` (Jacob et al. 2018, section 3.2).
Computed in float64 and rounded once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import Constants, source
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.passes.affine import BATCH_NORMS, Layout, Step, read_step
from tfmobile.passes.linear import LINEAR_OPS, is_channel_first, output_channels, scaled


@dataclass
class _Chain:
    """A layer, and the steps that follow it with nothing else in between. ``stop`` says why it ends."""

    layer: Node
    weights: Array
    layout: Layout
    steps: list[Step] = field(default_factory=list)
    copies: list[Node] = field(default_factory=list)
    """Nodes on the way that move whole channels about (BatchToSpaceND, Squeeze)."""
    stop: str = ""


@dataclass(frozen=True)
class FoldBatchNorms:
    """Fold FusedBatchNorm (V1 to V3), BatchNormWithGlobalNormalization, and chains of Mul, RealDiv, Add, Sub and
    BiasAdd by constants, after the layers of LINEAR_OPS. NHWC and NCHW.

    The last node of the chain keeps its name; weights that other layers share are left as they are.
    """

    name: ClassVar[str] = "fold-batch-norms"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each layer folded, one in ``skipped`` for each batch norm left."""
        editor = GraphEditor(graph)
        constants = Constants(editor)
        changed: list[str] = []
        reasons: dict[str, str] = {}
        for node in editor:
            if node.op in LINEAR_OPS:
                self._layer(editor, constants, node, changed, reasons)
        result = editor.finish() if changed else graph
        return PassResult(result, tuple(changed), tuple(_left(result, reasons)))

    def _layer(
        self,
        editor: GraphEditor,
        constants: Constants,
        node: Node,
        changed: list[str],
        reasons: dict[str, str],
    ) -> None:
        ref = node.inputs[LINEAR_OPS[node.op].weights]
        stored = source(editor, ref).value
        weights = stored if stored is not None else constants(ref)
        if weights is None or weights.ndim < 2:
            _blame(editor, TensorRef(node.name), f"the weights of '{node.name}' are not constant", reasons)
            return
        chain = _follow(editor, constants, node, weights, reasons)
        if not any(step.multiplies for step in chain.steps):
            _blame(editor, TensorRef(node.name), chain.stop, reasons)
            return
        problem = _fold(editor, chain)
        if problem:
            reasons[chain.steps[-1].node.name] = problem
        else:
            folded = ", ".join(f"'{step.node.name}' ({step.node.op})" for step in chain.steps)
            changed.append(f"Folded {folded} into '{node.name}' ({node.op}).")


def _follow(editor: GraphEditor, constants: Constants, layer: Node, weights: Array, reasons: dict[str, str]) -> _Chain:
    rank = LINEAR_OPS[layer.op].rank
    layout = Layout(output_channels(layer, weights), rank, is_channel_first(layer))
    chain = _Chain(layer, weights, layout)
    data, pending = TensorRef(layer.name), list[Node]()
    while True:
        reader = _only_reader(editor, data, chain)
        if reader is None:
            return chain
        step = read_step(editor, constants, reader, data, chain.layout)
        if isinstance(step, Step):
            chain.copies.extend(pending)
            pending.clear()
            chain.steps.append(step)
        elif isinstance(step, str):
            reasons[reader.name] = step
            return chain
        else:
            moved = _moved(reader, chain.layout)
            if moved is None:
                return chain
            chain.layout = moved
            pending.append(reader)
        data = TensorRef(reader.name)


def _only_reader(editor: GraphEditor, data: TensorRef, chain: _Chain) -> Node | None:
    if data in editor.outputs:
        chain.stop = f"the output of '{data}' is a model output"
        return None
    if data.node in editor.inputs:
        chain.stop = f"'{data}' is a model input"
        return None
    readers = editor.readers(data)
    if len(readers) > 1:
        names = ", ".join(f"'{node.name}'" for node in readers[:3])
        chain.stop = f"the output of '{data}' is read by {len(readers)} nodes ({names})"
    return readers[0] if len(readers) == 1 else None


def _moved(node: Node, layout: Layout) -> Layout | None:
    """The layout after a node that moves whole channels about; None for any other node."""
    if layout.first or layout.rank is None:
        return None
    if node.op == "BatchToSpaceND":
        return layout
    if node.op == "Squeeze":
        axes = node.attrs.get("squeeze_dims", ())
        if axes and all(axis % layout.rank != layout.rank - 1 for axis in axes):
            return dataclasses.replace(layout, rank=layout.rank - len({axis % layout.rank for axis in axes}))
    return None


def _fold(editor: GraphEditor, chain: _Chain) -> str:
    """Do it; returns the reason when it cannot be done."""
    scale, offset = np.ones(chain.layout.channels), np.zeros(chain.layout.channels)
    with np.errstate(all="ignore"):
        for step in chain.steps:
            scale, offset = scale * step.scale, offset * step.scale + step.offset
        weights = _rounded(editor, chain, scaled(chain.layer, chain.weights.astype(np.float64), scale))
        bias = offset.astype(weights.dtype)
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        return "the folded weights would not be finite"
    last = chain.steps[-1].node
    data = _copy_layer(editor, chain, weights)
    _finish(editor, chain, last, data, bias)
    return ""


def _rounded(editor: GraphEditor, chain: _Chain, weights: Array) -> Array:
    kind = chain.layer.attrs.get("T", DType("float32"))
    if kind.name == "bfloat16":
        import ml_dtypes

        return weights.astype(ml_dtypes.bfloat16)
    return weights.astype(np.dtype(kind.name))


def _copy_layer(editor: GraphEditor, chain: _Chain, weights: Array) -> TensorRef:
    """The layer with its new weights, and the nodes on the way, under new names; the last one's output."""
    layer = chain.layer
    ref = editor.add_constant(f"{layer.name}/folded_weights", weights, beside=layer.name)
    inputs = list(layer.inputs)
    inputs[LINEAR_OPS[layer.op].weights] = ref
    last = editor.add(
        dataclasses.replace(layer, name=editor.fresh(f"{layer.name}/folded"), inputs=tuple(inputs)),
        beside=layer.name,
    )
    for node in chain.copies:
        inputs = [TensorRef(last.name), *node.inputs[1:]]
        last = editor.add(
            dataclasses.replace(node, name=editor.fresh(f"{node.name}/folded"), inputs=tuple(inputs)),
            beside=node.name,
        )
    return TensorRef(last.name)


def _finish(editor: GraphEditor, chain: _Chain, last: Node, data: TensorRef, bias: Array) -> None:
    """Put the bias in the place of the last step; controls of the steps go along."""
    controls = tuple(dict.fromkeys(name for step in chain.steps for name in step.node.controls))
    kind = chain.layer.attrs.get("T", DType("float32"))
    if not bias.any():
        node = editor[data.node]
        editor.replace(dataclasses.replace(node, name=last.name, controls=(*node.controls, *controls)))
        editor.remove(data.node)
        return
    ref = editor.add_constant(f"{last.name}/folded_bias", bias, beside=last.name)
    layout = b"NCHW" if chain.layout.first else b"NHWC"
    attrs = {"T": kind, "data_format": layout}
    editor.replace(Node(last.name, "BiasAdd", (data, ref), controls, attrs, last.device))


def _blame(editor: GraphEditor, data: TensorRef, reason: str, reasons: dict[str, str]) -> None:
    """Give ``reason`` to the batch norms that read ``data``, also behind a bias."""
    if not reason:
        return
    for reader in editor.readers(data):
        if reader.op in BATCH_NORMS or reader.op == "Mul":
            reasons.setdefault(reader.name, reason)
        elif reader.op in ("BiasAdd", "Add", "AddV2"):
            for next_reader in editor.readers(TensorRef(reader.name)):
                if next_reader.op in BATCH_NORMS or next_reader.op == "Mul":
                    reasons.setdefault(next_reader.name, reason)


def _left(graph: Graph, reasons: dict[str, str]) -> list[str]:
    """One sentence for each batch norm that is still there, with the reason; and for each scale that was refused."""
    sentences = []
    scales = _scales(graph)
    for node in graph:
        data = node.inputs[0] if node.op in BATCH_NORMS else scales.get(node.name)
        if node.name in reasons and (node.op != "Mul" or node.name in scales):
            sentences.append(f"Left '{node.name}' ({node.op}): {reasons[node.name]}.")
        elif data is not None:
            before = source(graph.nodes, data)
            sentences.append(
                f"Left '{node.name}' ({node.op}): it follows '{before.name}' ({before.op}), not a layer with weights."
            )
    return sentences


def _scales(graph: Graph) -> dict[str, TensorRef]:
    """Decomposed batch norms by their product with a constant a channel, which a sum follows; and what they scale."""
    constants = Constants(graph.nodes)
    vectors = {
        node.name: node.inputs[1 - place]
        for node in graph
        if node.op == "Mul"
        for place, ref in enumerate(node.inputs)
        if (value := constants(ref)) is not None and value.size > 1 and constants(node.inputs[1 - place]) is None
    }
    shifted = {
        ref.node
        for node in graph
        if node.op in ("Add", "AddV2", "Sub")
        for place, ref in enumerate(node.inputs)
        if ref.node in vectors and constants(node.inputs[1 - place]) is not None
    }
    return {name: data for name, data in vectors.items() if name in shifted}
