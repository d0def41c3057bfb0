"""fold-batch-norms: move the scale and shift after a convolution or dense layer into its weights and bias.

``γ·(w∗x + b − μ)/√(σ² + ε) + β = (s·w)∗x + (s·(b − μ) + β)`` with ``s = γ/√(σ² + ε)`` (Jacob et al. 2018, section 3.2).
Computed in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.linear import BATCH_NORMS
from tfmobile.graph.match import Constants, source
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.passes.convolutions.after_layers import AfterLayers
from tfmobile.passes.convolutions.before_layers import fold_front
from tfmobile.passes.convolutions.chains import Wanted
from tfmobile.passes.convolutions.fronts import Front, Fronts
from tfmobile.passes.known_types import Types


@dataclass(frozen=True)
class FoldBatchNorms:
    """Fold FusedBatchNorm (V1 to V3), BatchNormWithGlobalNormalization, and chains of Mul, RealDiv, Add, Sub and
    BiasAdd by constants into the layers with constant weights around them: Conv2D, DepthwiseConv2dNative,
    Conv2DBackpropInput, Conv3D, MatMul, BatchMatMul. NHWC and NCHW.

    After a layer: ``γ·(w∗x + b − μ)/√(σ² + ε) + β = (s·w)∗x + (s·(b − μ) + β)`` with ``s = γ/√(σ² + ε)`` (Jacob et al.
    2018, arXiv:1712.05877, section 3.2), computed in float64 and rounded once. Between the layer and the chain, and
    between its steps, may stand what treats each channel alike: BatchToSpaceND, Squeeze, ExpandDims, Transpose, Reshape
    that keeps the channels last, AvgPool, Mean over other axes, resizing, MirrorPad; MaxPool where all scales are
    positive. Layers that a Concat or a sum joins take each its part, when all of them can: of a Concat along the
    channels each its own channels, of a sum all of the scale and the first one the offset.

    Before a layer, what is left of batch norms: ``w∗(s·x + o) = (s·w)∗x + Σ w·o``. Only where that is exact: a dense
    layer, a convolution that adds no zeros, or no offset; and when nothing but such layers reads it.

    The last node of a chain keeps its name, and so does a layer behind one; weights that other layers share are left
    as they are. Left alone: weights or statistics that are not constant, is_training, an output in between that
    something else reads, and a batch norm with no layer next to it, which a converter makes a product and a sum.
    """

    name: ClassVar[str] = "fold-batch-norms"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each layer folded, one in ``skipped`` for each batch norm left."""
        return fold(graph, after=lambda step: step.multiplies, before=_varies, whole=True)


def _varies(node: Node, constants: Constants) -> bool:
    """Whether a node before a layer is like one of a batch norm: it has a factor a channel."""
    if node.op in BATCH_NORMS:
        return True
    values = [constants(ref) for ref in node.inputs] if node.op in ("Mul", "RealDiv", "Div") else []
    return any(value is not None and value.size > 1 for value in values)


def fold(graph: Graph, *, after: Wanted, before: Callable[[Node, Constants], bool], whole: bool) -> PassResult:
    """Fold the chains that have a step which is wanted, after layers and before them.

    With ``whole``, also the steps that follow the last one wanted.
    """
    editor = GraphEditor(graph)
    constants = Constants(editor)
    work = AfterLayers(editor, constants, after, whole=whole)
    work.run()
    changed, reasons = work.changed, work.reasons
    fronts = Fronts(editor, constants, Types(graph), lambda node: before(node, constants))
    for front in fronts:
        problem = _fold_exactly(editor, constants, fronts, front)
        if problem:
            for step in front.steps:
                if step.node.op in BATCH_NORMS or step.node.op == "Mul":
                    reasons.setdefault(step.node.name, problem)
        else:
            changed.append(f"Folded {front} behind.")
    result = editor.finish() if changed else graph
    return PassResult(result, tuple(changed), tuple(_left(result, reasons, with_scales=whole)))


def _fold_exactly(editor: GraphEditor, constants: Constants, fronts: Fronts, front: Front) -> str:
    sunk = fronts.sink(front)
    if isinstance(sunk, str):
        return sunk
    if sunk.offset.any():
        padded = fronts.padded(front)
        layer = next((layer for layer in front.layers if layer.name in padded), None)
        if layer is not None:
            return f"it shifts the input of '{layer.name}' ({layer.op}), which puts zeros around it"
    return fold_front(editor, constants, front, sunk)


def _left(graph: Graph, reasons: Mapping[str, str], *, with_scales: bool) -> list[str]:
    """One sentence for each batch norm that is still there, with the reason; and for each scale that was refused."""
    sentences = []
    scales = _scales(graph) if with_scales else {}
    for node in graph:
        data = node.inputs[0] if node.op in BATCH_NORMS else scales.get(node.name)
        if not with_scales and node.op not in BATCH_NORMS:
            continue
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
