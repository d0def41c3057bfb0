"""remove-identity-resizes: nodes that change nothing, because what they are asked for is what they get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from tfmobile.artifacts import PassResult
from tfmobile.graph.edit import GraphEditor
from tfmobile.graph.match import attr_dtype, source
from tfmobile.graph.model import Array, DType, Graph, Node, TensorRef
from tfmobile.passes.known_types import Types
from tfmobile.passes.simplify.bypass import Bypass

_FLOAT_RESIZES = frozenset({"ResizeBilinear", "ResizeBicubic", "ResizeArea"})
"""Those that give float32, whatever they get."""


@dataclass(frozen=True)
class RemoveIdentityResizes:
    """Take out resizes to the size there is, and other nodes that change nothing; what reads them reads their input.

    - ``ResizeBilinear``, ``ResizeNearestNeighbor``, ``ResizeBicubic``, ``ResizeArea`` to the size that the image has.
      Every pixel then falls on itself, with ``align_corners`` or ``half_pixel_centers`` or neither. All but the second
      give float32; of another dtype they become a ``Cast``.
    - ``AvgPool``, ``MaxPool`` (2-D and 3-D) of one pixel at stride one; ``Pad``, ``PadV2``, ``MirrorPad`` by nothing;
      ``Tile`` by ones; ``Slice`` and ``StridedSlice`` of all there is.

    A model output becomes an Identity. Left alone: a resize where a size is not known before the model runs; nodes that
    wait for others, and model inputs. For Reshape and Transpose there are ``merge-reshapes`` and ``cancel-transposes``.
    The Graph Transform Tool had nothing like it.
    """

    name: ClassVar[str] = "remove-identity-resizes"
    keeps_answer: ClassVar[bool] = True

    def apply(self, graph: Graph) -> PassResult:
        """One sentence for each node that went, and for each that could not."""
        names = [node.name for node in graph if node.op in _RULES]
        editor = GraphEditor(graph)
        look = _Look(editor, Types(graph, names))
        bypass = Bypass(editor)
        changed: list[str] = []
        skipped: list[str] = []
        for name in names:
            node = editor[name]
            answer = _RULES[node.op](look, node)
            if not answer or bypass.idle(node):
                continue
            reason = answer if isinstance(answer, str) else bypass.why_not(node, node.inputs[0])
            if reason:
                skipped.append(f"Left '{name}' ({node.op}): {reason}.")
                continue
            changed.append(_remove(editor, bypass, node))
        return PassResult(editor.finish() if changed else graph, tuple(changed), tuple(skipped))


def _remove(editor: GraphEditor, bypass: Bypass, node: Node) -> str:
    """Do it, and say so."""
    kind = attr_dtype(node) or "float32"
    if node.op in _FLOAT_RESIZES and kind != "float32":
        attrs = {"SrcT": DType(kind), "DstT": DType("float32"), "Truncate": False}
        editor.replace(Node(node.name, "Cast", node.inputs[:1], (), attrs, node.device))
        return f"Made '{node.name}' ({node.op}) a Cast, which is all it does."
    bypass(node, node.inputs[0], DType(kind))
    return f"Removed '{node.name}' ({node.op}), which changes nothing."


@dataclass(frozen=True)
class _Look:
    """What the rules look at."""

    editor: GraphEditor
    types: Types

    def numbers(self, ref: TensorRef) -> Array | None:
        """A constant of integers."""
        value = source(self.editor, ref).value
        return value if value is not None and value.dtype.kind in "iu" else None

    def all_are(self, ref: TensorRef, wanted: int) -> bool:
        """Whether ``ref`` is a constant of this number alone."""
        value = self.numbers(ref)
        return value is not None and bool((value == wanted).all())


Answer: TypeAlias = "bool | str"
"""Whether the node changes nothing; or why that is not known."""


def _resize(look: _Look, node: Node) -> Answer:
    before, after = look.types.shape(node.inputs[0]), look.types.shape(TensorRef(node.name))
    if before is None or after is None or len(before) != 4 or None in (*before[1:3], *after[1:3]):
        return "its size is not known before the model runs"
    return before[1:3] == after[1:3]


def _pool(look: _Look, node: Node) -> Answer:
    sizes = [*node.attrs.get("ksize", ()), *node.attrs.get("strides", ())]
    return bool(sizes) and all(size == 1 for size in sizes) and not any(node.attrs.get("explicit_paddings", ()))


def _pad(look: _Look, node: Node) -> Answer:
    return look.all_are(node.inputs[1], 0)


def _tile(look: _Look, node: Node) -> Answer:
    return look.all_are(node.inputs[1], 1)


def _slice(look: _Look, node: Node) -> Answer:
    sizes = look.numbers(node.inputs[2])
    if sizes is None or not look.all_are(node.inputs[1], 0):
        return False
    shape = look.types.shape(node.inputs[0]) if (sizes != -1).any() else ()
    return all(size == -1 or (shape is not None and size == shape[place]) for place, size in enumerate(sizes.tolist()))


def _strided_slice(look: _Look, node: Node) -> Answer:
    begin, end = look.numbers(node.inputs[1]), look.numbers(node.inputs[2])
    if begin is None or end is None or not look.all_are(node.inputs[3], 1):
        return False
    if any(node.attrs.get(mask, 0) for mask in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")):
        return False
    places = np.arange(begin.size)
    first = (begin == 0) | _bits(node, "begin_mask", places)
    last = _bits(node, "end_mask", places)
    if first.all() and not last.all():
        shape = look.types.shape(node.inputs[0]) or (None,) * begin.size
        last |= [size is not None and stop >= size for size, stop in zip(shape, end.tolist(), strict=False)]
    return bool((first & last).all())


def _bits(node: Node, mask: str, places: Array) -> Array:
    found: Array = (int(node.attrs.get(mask, 0)) >> places) & 1 == 1
    return found


_RULES: Mapping[str, Callable[[_Look, Node], Answer]] = {
    **dict.fromkeys((*sorted(_FLOAT_RESIZES), "ResizeNearestNeighbor"), _resize),
    **dict.fromkeys(("AvgPool", "MaxPool", "AvgPool3D", "MaxPool3D"), _pool),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    "Tile": _tile,
    "Slice": _slice,
    "StridedSlice": _strided_slice,
}
