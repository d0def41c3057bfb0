"""flatten-atrous-conv: a convolution between SpaceToBatchND and BatchToSpaceND is one dilated convolution."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import source
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.passes.convolutions.atrous_paths import Path, find_path
from tfmobile.passes.convolutions.rebuilding import rounded, waits_of
from tfmobile.passes.convolutions.windows import Pads, Window, is_same, own_pads, window_of


@dataclass(frozen=True)
class FlattenAtrousConv:
    """Turn SpaceToBatchND → Conv2D → BatchToSpaceND into one Conv2D with dilations.

    The two outer ops deal each block of positions out to the batch and back, so that a filter of ``k`` sees every
    ``block``-th value: a filter with dilation ``block``. With ``p`` zeros added before by the first op, ``q`` by the
    convolution itself (SAME) and ``c`` cropped by the last, the one convolution pads by ``p + block·q − c`` before, and
    likewise after. That is SAME where SAME adds the same, VALID where nothing is left to add, else a Pad and VALID.

    Between the convolution and BatchToSpaceND may stand what treats all positions alike: biases, scales and batch norms
    by channel, activations, Squeeze; before it ExpandDims, as a dilated Conv1D has it. NHWC and NCHW. The last node's
    name and value stay with the last of the new ones.

    With ``zeros``, the filter is written out with zeros in between, as the original tool did it, and the convolution
    has no dilations; the weights must be constant. It is the only way for DepthwiseConv2dNative, of which TensorFlow
    has no dilated kernel on a CPU; without ``zeros`` that is left as it is, and TensorFlow Lite's converter makes one
    dilated op of the three by itself.

    Left alone: strides other than 1; blocks, paddings or crops that are not constant, do not match, or touch batch or
    channels; crops of more than was added; a value in between that something else reads or that is a model output. The
    original ignored paddings and crops and always wrote SAME.
    """

    name: ClassVar[str] = "flatten-atrous-conv"
    keeps_answer: ClassVar[bool] = True
    zeros: bool = False

    def apply(self, graph: Graph) -> PassResult:
        """One sentence in ``changed`` for each chain, one in ``skipped`` for each left with a convolution inside."""
        editor = GraphEditor(graph)
        changed: list[str] = []
        skipped: list[str] = []
        for node in editor:
            path = find_path(editor, node) if node.op == "SpaceToBatchND" else None
            if path is None:
                continue
            problem = path if isinstance(path, str) else self._flatten(editor, path, changed)
            if problem:
                skipped.append(f"Left '{node.name}' ({node.op}): {problem}.")
        return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))

    def _flatten(self, editor: GraphEditor, path: Path, changed: list[str]) -> str:
        """Do it; the reason when it cannot be done."""
        weights = source(editor, path.layer.inputs[1]).value
        if weights is None or weights.ndim != 4:
            return f"the weights of '{path.layer.name}' ({path.layer.op}) are not constant"
        window = window_of(path.layer, weights.shape)
        if any(stride != 1 for stride in window.strides):
            return f"'{path.layer.name}' ({path.layer.op}) has strides"
        added = _total_pads(path, window)
        if added is None:
            return f"'{path.last.name}' (BatchToSpaceND) crops more than was added"
        flat = _Flat(window, added, tuple(path.blocks.get(axis, 1) for axis in window.axes))
        if path.layer.op != "Conv2D" and not self.zeros and max(flat.dilations) > 1:
            return (
                f"TensorFlow cannot run a dilated '{path.layer.name}' ({path.layer.op}) on a CPU; "
                "zeros=true writes the zeros into its filter"
            )
        _rebuild(editor, path, flat, _spread(weights, flat.dilations) if self.zeros else None)
        changed.append(_sentence(path, flat))
        return ""


@dataclass(frozen=True)
class _Flat:
    """The one convolution: the window of the old one, and what is new."""

    window: Window
    pads: Pads
    blocks: tuple[int, ...]

    @property
    def dilations(self) -> tuple[int, ...]:
        """An axis on which the filter has one value has none."""
        steps = zip(self.window.kernel, self.window.dilations, self.blocks, strict=True)
        return tuple(dilation * block if kernel > 1 else 1 for kernel, dilation, block in steps)

    @property
    def padding(self) -> str:
        """SAME, VALID, or an empty string when a Pad must do it."""
        if not any(map(any, self.pads)):
            return "VALID"
        window = dataclasses.replace(self.window, dilations=self.dilations)
        return "SAME" if is_same(self.pads, window, None) else ""


def _total_pads(path: Path, window: Window) -> Pads | None:
    own = own_pads(path.layer, window, None)
    assert own is not None  # with stride 1, SAME does not depend on the size
    found = []
    for axis, (before, after) in zip(window.axes, own, strict=True):
        block = path.blocks.get(axis, 1)
        (first, last), (cut, cut_last) = path.pads.get(axis, (0, 0)), path.crops.get(axis, (0, 0))
        found.append((first + block * before - cut, last + block * after - cut_last))
    return tuple(found) if all(amount >= 0 for item in found for amount in item) else None


def _spread(weights: Array, dilations: tuple[int, ...]) -> Array:
    """The filter with zeros in between."""
    height, width = ((size - 1) * step + 1 for size, step in zip(weights.shape[:2], dilations, strict=True))
    spread = np.zeros((height, width, *weights.shape[2:]), weights.dtype)
    spread[:: dilations[0], :: dilations[1]] = weights
    return spread


def _rebuild(editor: GraphEditor, path: Path, flat: _Flat, spread: Array | None) -> None:
    """The nodes of the path without the outer two, under new names; the last one in the place of BatchToSpaceND."""
    data, old = path.first.inputs[0], TensorRef(path.first.name)
    for place, node in enumerate(path.nodes):
        inputs = [data if ref == old else ref for ref in node.inputs]
        attrs = node.attrs
        if node.name == path.layer.name:
            attrs = _attributes(node, flat, with_dilations=spread is None)
            if not flat.padding:
                inputs[0] = _pad(editor, node, inputs[0], flat)
            if spread is not None:
                value = rounded(node, spread)
                inputs[1] = editor.add_constant(
                    f"{node.name}/spread", value, beside=node.name, controls=waits_of(editor, node)
                )
        old = TensorRef(node.name)
        new = dataclasses.replace(node, inputs=tuple(inputs), attrs=attrs)
        if place == len(path.nodes) - 1:
            controls = tuple(dict.fromkeys((*node.controls, *path.controls(editor))))
            editor.replace(dataclasses.replace(new, name=path.last.name, controls=controls))
        else:
            new = dataclasses.replace(new, name=editor.fresh(f"{node.name}/flat"))
            data = TensorRef(editor.add(new, beside=node.name).name)


def _attributes(layer: Node, flat: _Flat, *, with_dilations: bool) -> dict[str, Any]:
    dilations = [1] * (len(flat.window.axes) + 2)
    if with_dilations:
        for axis, dilation in zip(flat.window.axes, flat.dilations, strict=True):
            dilations[axis] = dilation
    attrs = {key: value for key, value in layer.attrs.items() if key != "explicit_paddings"}
    return {**attrs, "padding": (flat.padding or "VALID").encode(), "dilations": tuple(dilations)}


def _pad(editor: GraphEditor, layer: Node, data: TensorRef, flat: _Flat) -> TensorRef:
    amounts = np.zeros((len(flat.window.axes) + 2, 2), np.int32)
    for axis, pads in zip(flat.window.axes, flat.pads, strict=True):
        amounts[axis] = pads
    ref = editor.add_constant(f"{layer.name}/paddings", amounts, beside=layer.name, controls=waits_of(editor, layer))
    attrs = {"T": layer.attrs.get("T", DType("float32")), "Tpaddings": DType("int32")}
    node = Node(editor.fresh(f"{layer.name}/padded"), "Pad", (data, ref), attrs=attrs, device=layer.device)
    return TensorRef(editor.add(node, beside=layer.name).name)


def _sentence(path: Path, flat: _Flat) -> str:
    how = flat.padding or "a Pad and VALID"
    return (
        f"Made '{path.layer.name}' ({path.layer.op}) one convolution with {how} padding, without "
        f"'{path.first.name}' (SpaceToBatchND) and '{path.last.name}' (BatchToSpaceND)."
    )
