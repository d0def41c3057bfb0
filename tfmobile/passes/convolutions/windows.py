"""The windows of a convolution: kernel, strides, dilations, and the zeros it puts around its input.

SAME gives ``⌈n / stride⌉`` values and pads by ``max((⌈n / stride⌉ − 1) · stride + (k − 1) · dilation + 1 − n, 0)``, of
which the smaller half comes before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tfmobile.graph.match import attr_text
from tfmobile.graph.model import Node, Shape

Pads: TypeAlias = tuple[tuple[int, int], ...]
"""Before and after, for each spatial axis."""

CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})


@dataclass(frozen=True)
class Window:
    """One entry for each spatial axis; ``axes`` are those axes of the input."""

    axes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]


def window_of(node: Node, filter_shape: tuple[int, ...]) -> Window:
    """The windows of a convolution with a filter of this shape, which starts with the spatial axes."""
    strides = node.attrs.get("strides", ())
    rank = len(strides) or 4
    first = 2 if attr_text(node, "data_format", "NHWC").startswith("NC") else 1
    axes = tuple(range(first, first + rank - 2))
    dilations = node.attrs.get("dilations") or (1,) * rank
    return Window(
        axes,
        tuple(filter_shape[: rank - 2]),
        tuple(int(strides[axis]) if strides else 1 for axis in axes),
        tuple(int(dilations[axis]) for axis in axes),
    )


def same_pads(size: int | None, kernel: int, stride: int, dilation: int) -> tuple[int, int] | None:
    """What SAME adds on one axis; None when it depends on a size that is not known."""
    span = (kernel - 1) * dilation + 1
    if span <= 1:
        return 0, 0
    if stride == 1:
        total = span - 1
    elif size is None:
        return None
    else:
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def own_pads(node: Node, window: Window, shape: Shape) -> Pads | None:
    """What the convolution itself adds to an input of this shape; None when that is not known."""
    padding = attr_text(node, "padding", "VALID")
    if padding == "VALID":
        return ((0, 0),) * len(window.axes)
    if padding == "EXPLICIT":
        explicit = node.attrs.get("explicit_paddings", ())
        return tuple((int(explicit[2 * axis]), int(explicit[2 * axis + 1])) for axis in window.axes)
    sizes = [shape[axis] if shape is not None else None for axis in window.axes]
    found = tuple(map(same_pads, sizes, window.kernel, window.strides, window.dilations))
    known = tuple(item for item in found if item is not None)
    return known if len(known) == len(found) else None


def is_same(pads: Pads, window: Window, shape: Shape) -> bool | None:
    """Whether a convolution of an input of ``shape``, padded with zeros by ``pads``, is one with SAME padding.

    It is when as much is added before, and the output is as large: what is added beyond the last window is never read.
    None when that depends on a size that is not known.
    """
    unknown = False
    for place, (axis, (before, after)) in enumerate(zip(window.axes, pads, strict=True)):
        kernel, stride, dilation = window.kernel[place], window.strides[place], window.dilations[place]
        size = shape[axis] if shape is not None else None
        found = _axis_is_same(size, before, after, kernel, stride, dilation)
        if found is False:
            return False
        unknown = unknown or found is None
    return None if unknown else True


def _axis_is_same(size: int | None, before: int, after: int, kernel: int, stride: int, dilation: int) -> bool | None:
    same = same_pads(size, kernel, stride, dilation)
    span = (kernel - 1) * dilation + 1
    if size is None:
        if stride == 1 or (before, after, span) == (0, 0, 1):
            return (before, after) == same
        return False if before > (span - 1) // 2 else None  # SAME adds less than the span, the smaller half before
    if same is None or before != same[0]:
        return False
    return (size + before + after - span) // stride + 1 == -(-size // stride)
