"""fuse-convolutions and its parts: resizing, mirror padding and convolution in one op of TensorFlow Mobile."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import attr_dtype, attr_text, source
from tfmobile.graph.model import DType, Graph, Node, TensorRef
from tfmobile.passes.affine import is_nchw
from tfmobile.passes.convolutions.integers import pairs
from tfmobile.passes.convolutions.rebuilding import waits_of

_RESIZE, _PAD = "ResizeBilinear", "MirrorPad"


@dataclass(frozen=True)
class FuseResizePadAndConv:
    """Fuse ResizeBilinear → MirrorPad → Conv2D into one FusedResizeAndPadConv2D, which keeps no image in between.

    The fused op takes the input and size of the ResizeBilinear, its align_corners as resize_align_corners, paddings and
    mode (REFLECT or SYMMETRIC) of the MirrorPad, and filter, strides and padding of the convolution, whose name it
    keeps. It runs on TensorFlow's CPU and gives the same numbers; TensorFlow Lite's converter does not know it, so this
    is for programs that run the TensorFlow graph itself.

    Left alone: half_pixel_centers, which the fused op cannot do (all that tf.image.resize of TensorFlow 2 makes has
    it); dilations, EXPLICIT padding and NCHW, for the same reason; paddings that are not constant or touch batch or
    channels; types other than float32 and float64; an output in between that something else reads or that is a model
    output. The original fused with half_pixel_centers and dilations too, and so changed the answer.
    """

    name: ClassVar[str] = "fuse-resize-pad-and-conv"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each convolution fused, one in ``skipped`` for each left."""
        return _fuse(graph, {(_RESIZE, _PAD)})


@dataclass(frozen=True)
class FuseResizeAndConv:
    """Fuse ResizeBilinear → Conv2D into one FusedResizeAndPadConv2D that pads by nothing.

    Conditions, and what it is for: see fuse-resize-pad-and-conv.
    """

    name: ClassVar[str] = "fuse-resize-and-conv"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each convolution fused, one in ``skipped`` for each left."""
        return _fuse(graph, {(_RESIZE,)})


@dataclass(frozen=True)
class FusePadAndConv:
    """Fuse MirrorPad → Conv2D into one FusedPadConv2D.

    Conditions, and what it is for: see fuse-resize-pad-and-conv. For a Pad with zeros, see fold-pads.
    """

    name: ClassVar[str] = "fuse-pad-and-conv"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each convolution fused, one in ``skipped`` for each left."""
        return _fuse(graph, {(_PAD,)})


@dataclass(frozen=True)
class FuseConvolutions:
    """Run fuse-resize-pad-and-conv, fuse-resize-and-conv and fuse-pad-and-conv: for each convolution the largest part
    of ResizeBilinear → MirrorPad → Conv2D that can be one op.

    The fused ops are for programs that run the TensorFlow graph itself: TensorFlow Lite's converter does not know them.
    """

    name: ClassVar[str] = "fuse-convolutions"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each convolution fused, one in ``skipped`` for each left."""
        return _fuse(graph, {(_RESIZE, _PAD), (_RESIZE,), (_PAD,)})


def _fuse(graph: Graph, kinds: Set[tuple[str, ...]]) -> PassResult:
    editor = GraphEditor(graph)
    changed: list[str] = []
    skipped: list[str] = []
    for conv in editor:
        before = _before(editor, conv) if conv.op == "Conv2D" else []
        parts = [before[place:] for place in range(len(before))]
        possible = [part for part in parts if tuple(node.op for node in part) in kinds]
        problems = [_problem(editor, conv, part) for part in possible]
        part = next((part for part, problem in zip(possible, problems, strict=True) if not problem), None)
        if part is not None:
            _replace(editor, conv, part)
            fused = ", ".join(f"'{node.name}' ({node.op})" for node in part)
            changed.append(f"Fused {fused} into '{conv.name}' (Conv2D).")
        elif problems:
            skipped.append(f"Left '{conv.name}' (Conv2D): {problems[0]}.")
    return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))


def _before(editor: GraphEditor, conv: Node) -> list[Node]:
    """The resizing and padding directly before the convolution, the first one first."""
    found: list[Node] = []
    ref = conv.inputs[0]
    for op in (_PAD, _RESIZE):
        node = editor[ref.node]
        if node.op == op and ref.index == 0 and node.name not in editor.inputs:
            found.insert(0, node)
            ref = node.inputs[0]
    return found


def _problem(editor: GraphEditor, conv: Node, before: list[Node]) -> str:
    """Why the nodes cannot be one op; empty when they can."""
    for node in before:
        if editor.only_reader(TensorRef(node.name)) is None:
            return f"'{node.name}' ({node.op}) is read by other nodes too, or is a model output"
        if node.attrs.get("half_pixel_centers", False):
            return f"'{node.name}' ({node.op}) has half_pixel_centers, which the fused op has not"
        if node.op == _RESIZE and attr_dtype(node) != attr_dtype(conv):
            return f"'{node.name}' ({node.op}) reads another type"
        if node.op == _PAD:
            paddings = pairs(editor, node.inputs[1])
            if paddings is None or len(paddings) != 4:
                return f"the paddings of '{node.name}' ({node.op}) are not constant"
            if any(paddings[0]) or any(paddings[3]):
                return f"'{node.name}' ({node.op}) pads the batch or the channels"
    return _unlike(conv)


def _unlike(conv: Node) -> str:
    """What the fused op cannot do of the convolution."""
    if any(int(dilation) != 1 for dilation in conv.attrs.get("dilations", ())):
        return "it has dilations, which the fused op has not"
    if attr_text(conv, "padding", "VALID") == "EXPLICIT":
        return "it has EXPLICIT padding, which the fused op has not"
    if is_nchw(conv):
        return "its data_format is NCHW, and the fused op knows only NHWC"
    if attr_dtype(conv) not in ("float32", "float64"):
        return f"the fused op rounds otherwise in {attr_dtype(conv) or 'this type'}"
    return ""


def _replace(editor: GraphEditor, conv: Node, before: list[Node]) -> None:
    resize = next((node for node in before if node.op == _RESIZE), None)
    pad = next((node for node in before if node.op == _PAD), None)
    paddings = np.zeros((4, 2), np.int32) if pad is None else np.array(pairs(editor, pad.inputs[1]), np.int32)
    waits = waits_of(editor, conv) if pad is None else source(editor, pad.inputs[1]).controls
    given = source(editor, pad.inputs[1]).value if pad is not None else None
    if pad is not None and given is not None and given.dtype == np.int32:
        amounts = pad.inputs[1]
    else:
        amounts = editor.add_constant(f"{conv.name}/paddings", paddings, beside=conv.name, controls=waits)
    attrs: dict[str, Any] = {key: conv.attrs[key] for key in ("T", "strides", "padding") if key in conv.attrs}
    attrs["mode"] = pad.attrs.get("mode", b"REFLECT") if pad is not None else b"REFLECT"
    inputs: tuple[TensorRef, ...] = (before[0].inputs[0], amounts, conv.inputs[1])
    op = "FusedPadConv2D"
    if resize is not None:
        op, inputs = "FusedResizeAndPadConv2D", (resize.inputs[0], resize.inputs[1], amounts, conv.inputs[1])
        attrs["resize_align_corners"] = bool(resize.attrs.get("align_corners", False))
    controls = tuple(dict.fromkeys(name for node in (conv, *before) for name in node.controls))
    attrs.setdefault("T", DType("float32"))
    editor.replace(Node(conv.name, op, inputs, controls, attrs, conv.device))
