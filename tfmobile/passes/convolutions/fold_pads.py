"""fold-pads: let convolutions do the padding that a Pad does before them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import attr_text, source
from tfmobile.graph.model import Graph, Node, TensorRef
from tfmobile.passes.convolutions.integers import pairs
from tfmobile.passes.convolutions.windows import CONVOLUTIONS, Pads, Window, is_same, own_pads, window_of
from tfmobile.passes.known_types import Types


@dataclass(frozen=True)
class FoldPads:
    """Fold a Pad, or PadV2 with zero, of height and width into the convolutions that read it.

    A Conv2D or DepthwiseConv2dNative with VALID padding (or EXPLICIT) behind a Pad becomes one without the Pad: with
    SAME padding where that adds the same zeros, and with ``explicit`` else with EXPLICIT padding. SAME gives
    ``⌈n / stride⌉`` values and adds ``max((⌈n / stride⌉ − 1)·stride + (k − 1)·dilation + 1 − n, 0)`` zeros, the smaller
    half before; so the ZeroPadding2D(((0, 1), (0, 1))) of Keras before a 3 × 3 convolution of stride 2 is SAME for an
    even size and not for an odd one. Zeros added behind the last window are never read and do not count. With stride 1
    the size need not be known.

    EXPLICIT is not the default because TensorFlow Lite has none: its converter puts a PAD before the convolution again.
    (What becomes SAME, the converter of TensorFlow 2.21 finds by itself too.)

    Left alone: a padding that is not constant or not zero, or touches batch or channels; a Pad that something other
    than such convolutions reads, or that is a model output; a convolution with SAME padding of its own; and, without
    ``explicit``, what SAME would not add, or a size that is not known where it decides. MirrorPad stays (see
    fuse-pad-and-conv), and so does a Pad before a pooling, for which a zero is a value like any other.
    """

    name: ClassVar[str] = "fold-pads"
    keeps_answer: ClassVar[bool] = True
    explicit: bool = False

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each Pad folded, one in ``skipped`` for each left before a convolution."""
        editor, types = GraphEditor(graph), Types(graph)
        changed: list[str] = []
        skipped: list[str] = []
        for node in editor:
            if node.op not in ("Pad", "PadV2") or not node.inputs:
                continue
            readers = editor.readers(TensorRef(node.name))
            if not any(_is_convolution(reader, node) for reader in readers):
                continue
            problem = self._fold(editor, types, node, readers)
            if problem:
                skipped.append(f"Left '{node.name}' ({node.op}): {problem}.")
            else:
                names = ", ".join(f"'{reader.name}' ({reader.op})" for reader in readers)
                changed.append(f"Folded '{node.name}' ({node.op}) into {names}.")
        return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))

    def _fold(self, editor: GraphEditor, types: Types, pad: Node, readers: list[Node]) -> str:
        """Do it; the reason when it cannot be done."""
        added = _added(editor, pad)
        if isinstance(added, str):
            return added
        if TensorRef(pad.name) in editor.outputs:
            return "it is a model output"
        other = next((reader for reader in readers if not _is_convolution(reader, pad)), None)
        if other is not None:
            return f"'{other.name}' ({other.op}) reads it too"
        found: list[Mapping[str, Any]] = []
        for reader in readers:
            attrs = self._attributes(editor, types, pad, reader, added)
            if isinstance(attrs, str):
                return attrs
            found.append(attrs)
        controls = (*pad.controls, *(name for ref in pad.inputs[1:] for name in source(editor, ref).controls))
        for reader, attrs in zip(readers, found, strict=True):
            inputs = (pad.inputs[0], *reader.inputs[1:])
            waits = tuple(dict.fromkeys((*reader.controls, *controls)))
            editor.replace(dataclasses.replace(reader, inputs=inputs, attrs=attrs, controls=waits))
        return ""

    def _attributes(
        self, editor: GraphEditor, types: Types, pad: Node, layer: Node, added: Pads
    ) -> Mapping[str, Any] | str:
        """The attributes of the convolution that pads by itself; or why it cannot."""
        window = _window(editor, types, layer)
        if window is None:
            return f"the shape of the filter of '{layer.name}' is not known"
        if any(any(amounts) for axis, amounts in enumerate(added) if axis not in window.axes):
            return "it pads the batch or the channels"
        if attr_text(layer, "padding", "VALID") == "SAME":
            return f"'{layer.name}' ({layer.op}) pads too, with SAME"
        own = own_pads(layer, window, None) or ()
        total = tuple(
            (added[axis][0] + before, added[axis][1] + after)
            for axis, (before, after) in zip(window.axes, own, strict=True)
        )
        same = is_same(total, window, None)
        if same is None:  # the size decides
            same = is_same(total, window, types.shape(pad.inputs[0]))
        attrs = {key: value for key, value in layer.attrs.items() if key != "explicit_paddings"}
        if same:
            return {**attrs, "padding": b"SAME"}
        if self.explicit:
            return {**attrs, "padding": b"EXPLICIT", "explicit_paddings": _explicit(total, window)}
        if same is None:
            return f"the size of its input is not fixed, and decides what SAME adds for '{layer.name}' ({layer.op})"
        return f"SAME padding of '{layer.name}' ({layer.op}) would not add the same"


def _is_convolution(node: Node, pad: Node) -> bool:
    return node.op in CONVOLUTIONS and node.inputs[0] == TensorRef(pad.name) and node.inputs.count(node.inputs[0]) == 1


def _added(editor: GraphEditor, pad: Node) -> Pads | str:
    """The zeros that the node adds on each axis; or why it is not to be folded."""
    added = pairs(editor, pad.inputs[1])
    if added is None:
        return "its paddings are not constant"
    if any(amount < 0 for item in added for amount in item):
        return "its paddings are negative"
    if pad.op == "PadV2":
        value = source(editor, pad.inputs[2]).value
        if value is None or value.any():
            return "it does not pad with zero"
    return added


def _window(editor: GraphEditor, types: Types, layer: Node) -> Window | None:
    weights = source(editor, layer.inputs[1]).value
    shape = weights.shape if weights is not None else types.shape(layer.inputs[1])
    if shape is None or len(shape) != 4 or shape[0] is None or shape[1] is None:
        return None
    return window_of(layer, (shape[0], shape[1]))


def _explicit(total: Pads, window: Window) -> tuple[int, ...]:
    amounts = [0] * (2 * (len(window.axes) + 2))
    for axis, (before, after) in zip(window.axes, total, strict=True):
        amounts[2 * axis], amounts[2 * axis + 1] = before, after
    return tuple(amounts)
