"""Random small convolutional graphs, as a hypothesis strategy: layers, norms and what stands between, both layouts.

A graph is a list of blocks, each a few steps from one of the last values on, so that a failing graph shrinks to few
steps. Values are small (1×8×8×3 and the like) and random but seeded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from tfmobile.graph.edit import constant
from tfmobile.graph.model import Array, Attr, DType, Graph, Node, ShapeAttr, TensorRef, TensorSpec

FLOAT, INT = DType("float32"), DType("int32")
LARGEST = 16
"""Of height, width and channels."""
BOTH = (b"SAME", b"VALID")


@dataclass(frozen=True)
class Value:
    """A tensor: ``layout`` is NHWC, NCHW or, for two axes, NC."""

    name: str
    layout: str
    height: int
    width: int
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch."""
        sizes = {"H": self.height, "W": self.width, "C": self.channels}
        return tuple(sizes[axis] for axis in self.layout[1:])

    def spread(self, height: int, width: int, others: int, first: int = 1) -> tuple[int, ...]:
        """One number an axis."""
        numbers = {"N": first, "H": height, "W": width, "C": others}
        return tuple(numbers[axis] for axis in self.layout)


class Draft:
    """A graph in the making, with what hypothesis draws for it."""

    def __init__(self, draw: Callable[..., Any], layout: str, channels: int, batch: int | None) -> None:
        self.draw = draw
        self.batch = batch
        self.nodes: dict[str, Node] = {}
        self.random = np.random.default_rng(draw(st.integers(0, 3)))
        self.values = [Value("x", layout, 8, 8, channels)]
        self.node("Placeholder", "x", dtype=FLOAT, shape=ShapeAttr((batch, *self.values[0].shape)))

    def node(self, op: str, name: str, *inputs: str, **attrs: Attr) -> str:
        """Add a node; ``T`` is float unless said otherwise."""
        self.nodes[name] = Node(name, op, tuple(map(TensorRef.parse, inputs)), attrs=attrs)
        return name

    def fresh(self, name: str) -> str:
        """A name that is free."""
        return f"{name}_{len(self.nodes)}"

    def op(self, op: str, *inputs: str, **attrs: Attr) -> str:
        """Add a float op under a fresh name."""
        return self.node(op, self.fresh(op.lower()), *inputs, **{"T": FLOAT, **attrs})

    def const(self, value: Any, dtype: type = np.float32) -> str:
        """Add a constant; floats are sometimes read through an Identity, as variables were."""
        name = self.fresh("const")
        self.nodes[name] = constant(name, np.asarray(value, dtype))
        if dtype is np.float32 and self.choose(False, True):
            return self.op("Identity", name)
        return name

    def normal(self, *shape: int) -> Array:
        """Weights that keep the scale of what they are applied to."""
        fan_in = int(np.prod(shape[:-1])) or 1
        return np.asarray(self.random.normal(0, fan_in**-0.5, shape))

    def choose(self, *options: Any) -> Any:
        """One of the options; failing examples shrink to the first."""
        return self.draw(st.sampled_from(options))

    def batch_of(self, *shape: int) -> tuple[int, ...]:
        """A shape for Reshape."""
        return (-1 if self.batch is None else self.batch, *shape)


Step: TypeAlias = Callable[[Draft, Value], "Value | None"]


def _like(data: Value, name: str, **changes: int) -> Value:
    sizes = {"height": data.height, "width": data.width, "channels": data.channels, **changes}
    return Value(name, data.layout, **sizes)


def _window(size: int, kernel: int, stride: int, padding: bytes) -> int:
    return -(-size // stride) if padding == b"SAME" else (size - kernel) // stride + 1


def _layer(draft: Draft, data: Value, *, depthwise: bool, paddings: tuple[bytes, ...] = BOTH) -> Value | None:
    if data.layout == "NC":
        return _dense(draft, data)
    kernel, stride = draft.choose(1, 3), draft.choose(1, 2)
    padding = draft.choose(*paddings)
    if padding == b"VALID" and min(data.height, data.width) < kernel:
        return None
    out = draft.choose(1, 2) if depthwise else draft.choose(1, 3, 4)
    channels = data.channels * out if depthwise else out
    if channels > LARGEST:
        return None
    weights = draft.const(draft.normal(kernel, kernel, data.channels, out))
    name = draft.op(
        "DepthwiseConv2dNative" if depthwise else "Conv2D",
        data.name,
        weights,
        strides=data.spread(stride, stride, 1),
        dilations=(1, 1, 1, 1),
        padding=padding,
        data_format=data.layout.encode(),
    )
    height, width = (_window(size, kernel, stride, padding) for size in (data.height, data.width))
    return _like(data, name, height=height, width=width, channels=channels)


def _dense(draft: Draft, data: Value) -> Value:
    out = draft.choose(1, 4)
    weights = draft.const(draft.normal(data.channels, out))
    name = draft.op("MatMul", data.name, weights, transpose_a=False, transpose_b=False)
    return _like(data, name, channels=out)


def conv(draft: Draft, data: Value) -> Value | None:
    """Conv2D, or MatMul on two axes."""
    return _layer(draft, data, depthwise=False)


def depthwise_conv(draft: Draft, data: Value) -> Value | None:
    """DepthwiseConv2dNative, or MatMul on two axes."""
    return _layer(draft, data, depthwise=True)


def padded_conv(draft: Draft, data: Value) -> Value | None:
    """A convolution that takes no padding of its own, after a Pad."""
    padded = pad(draft, data)
    return None if padded is None else _layer(draft, padded, depthwise=draft.choose(False, True), paddings=(b"VALID",))


def atrous_conv(draft: Draft, data: Value) -> Value | None:
    """A dilated convolution as TF1 wrote it: SpaceToBatchND, Conv2D, BatchToSpaceND."""
    if data.layout != "NHWC" or min(data.height, data.width) < 2:
        return None
    odd = [data.height % 2, data.width % 2]
    block = draft.const([2, 2], np.int32)
    pads = draft.const([[2, 2 + odd[0]], [2, 2 + odd[1]]], np.int32)
    crops = draft.const([[0, odd[0]], [0, odd[1]]], np.int32)
    kinds = {"Tblock_shape": INT}
    inside = draft.op("SpaceToBatchND", data.name, block, pads, **kinds, Tpaddings=INT)
    weights = draft.const(draft.normal(3, 3, data.channels, 2))
    inside = draft.op("Conv2D", inside, weights, strides=(1, 1, 1, 1), padding=b"VALID", data_format=b"NHWC")
    return _like(data, draft.op("BatchToSpaceND", inside, block, crops, **kinds, Tcrops=INT), channels=2)


def _statistics(draft: Draft, channels: int) -> tuple[Array, Array, Array, Array]:
    gamma = draft.random.uniform(0.5, 1.5, channels) * draft.random.choice([1, 1, -1], channels)
    beta, mean = draft.random.normal(0, 0.5, (2, channels))
    return gamma, beta, mean, draft.random.uniform(0.5, 2, channels)


def fused_norm(draft: Draft, data: Value) -> Value | None:
    """FusedBatchNorm, V1 to V3."""
    if data.layout == "NC":
        return decomposed_norm(draft, data)
    op = draft.choose("FusedBatchNormV3", "FusedBatchNorm", "FusedBatchNormV2")
    values = [draft.const(value) for value in _statistics(draft, data.channels)]
    kinds = {} if op == "FusedBatchNorm" else {"U": FLOAT}
    attrs = {"epsilon": 1e-3, "is_training": False, "data_format": data.layout.encode()}
    return _like(data, draft.op(op, data.name, *values, **kinds, **attrs))


def _along(data: Value, value: Array) -> Array:
    """A value a channel, so that it broadcasts."""
    return value.reshape(-1, 1, 1) if data.layout == "NCHW" else value


def decomposed_norm(draft: Draft, data: Value) -> Value:
    """A batch norm as TF1 wrote it: the scale computed from constants, Mul, Sub, Add."""
    gamma, beta, mean, variance = (draft.const(_along(data, value)) for value in _statistics(draft, data.channels))
    total = draft.op("AddV2", variance, draft.const(1e-3))
    scale = draft.op("Mul", draft.op("Rsqrt", total), gamma)
    shift = draft.op("Sub", beta, draft.op("Mul", mean, scale))
    return _like(data, draft.op("AddV2", draft.op("Mul", data.name, scale), shift))


def affine(draft: Draft, data: Value) -> Value:
    """A sum, difference, product or quotient with a constant: one number, or one a channel."""
    op = draft.choose("Mul", "AddV2", "Add", "Sub", "RealDiv")
    size = draft.choose(data.channels, 1)
    value = draft.random.uniform(0.5, 2, size) * draft.random.choice([1, -1], size)
    number = draft.const(_along(data, value) if draft.choose(True, False) or size > 1 else value[0])
    ends = [data.name, number]
    if op != "RealDiv" and draft.choose(False, True):
        ends.reverse()
    return _like(data, draft.op(op, *ends))


def bias(draft: Draft, data: Value) -> Value:
    """BiasAdd."""
    layout = b"NCHW" if data.layout == "NCHW" else b"NHWC"
    value = draft.const(draft.random.normal(0, 0.5, data.channels))
    return _like(data, draft.op("BiasAdd", data.name, value, data_format=layout))


def activation(draft: Draft, data: Value) -> Value:
    """Relu and its like."""
    return _like(data, draft.op(draft.choose("Relu", "Relu6", "Sigmoid"), data.name))


def copy(draft: Draft, data: Value) -> Value:
    """What changes nothing at inference."""
    op = draft.choose("Identity", "StopGradient", "CheckNumerics")
    attrs = {"message": b"not finite"} if op == "CheckNumerics" else {}
    return _like(data, draft.op(op, data.name, **attrs))


def _partner(draft: Draft, data: Value, fits: Callable[[Value], bool]) -> Value:
    return draft.choose(data, *(value for value in reversed(draft.values) if fits(value) and value != data))


def join(draft: Draft, data: Value) -> Value:
    """The sum or product of two values."""
    other = _partner(draft, data, lambda value: (value.layout, value.shape) == (data.layout, data.shape))
    return _like(data, draft.op(draft.choose("AddV2", "Mul", "Sub"), data.name, other.name))


def concat(draft: Draft, data: Value) -> Value | None:
    """Two values side by side along the channels."""

    def fits(value: Value) -> bool:
        return (value.layout, value.height, value.width) == (data.layout, data.height, data.width)

    other = _partner(draft, data, fits)
    channels = data.channels + other.channels
    if channels > LARGEST:
        return None
    axis = draft.const(data.layout.index("C"), np.int32)
    name = draft.op("ConcatV2", data.name, other.name, axis, N=2, Tidx=INT)
    return _like(data, name, channels=channels)


def twice(draft: Draft, data: Value) -> Value:
    """The same computation two times, and the sum."""
    same = [draft.op("Relu", data.name) for _ in range(2)]
    return _like(data, draft.op("AddV2", *same))


def pad(draft: Draft, data: Value) -> Value | None:
    """Pad by zeros, by another number, or mirrored."""
    before, after = draft.choose(1, 0), draft.choose(1, 2)
    if data.layout == "NC" or max(data.height, data.width) + before + after > LARGEST:
        return None
    op = draft.choose("Pad", "PadV2", "MirrorPad")
    if op == "MirrorPad" and min(data.height, data.width) <= after:
        return None
    pads = draft.const([[0, 0] if axis in "NC" else [before, after] for axis in data.layout], np.int32)
    more = [draft.const(0.5)] if op == "PadV2" else []
    attrs = {"mode": b"REFLECT"} if op == "MirrorPad" else {}
    name = draft.op(op, data.name, pads, *more, Tpaddings=INT, **attrs)
    return _like(data, name, height=data.height + before + after, width=data.width + before + after)


def transpose(draft: Draft, data: Value) -> Value | None:
    """Into the other layout."""
    if data.layout == "NC":
        return None
    layout = "NCHW" if data.layout == "NHWC" else "NHWC"
    order = draft.const([data.layout.index(axis) for axis in layout], np.int32)
    name = draft.op("Transpose", data.name, order, Tperm=INT)
    return Value(name, layout, data.height, data.width, data.channels)


def reshape_and_back(draft: Draft, data: Value) -> Value:
    """Two Reshapes, or ExpandDims and Squeeze."""
    if draft.choose(True, False):
        flat = draft.const(draft.batch_of(int(np.prod(data.shape))), np.int32)
        there = draft.op("Reshape", data.name, flat, Tshape=INT)
        shape = draft.const(draft.batch_of(*data.shape), np.int32)
        return _like(data, draft.op("Reshape", there, shape, Tshape=INT))
    there = draft.op("ExpandDims", data.name, draft.const(1, np.int32), Tdim=INT)
    return _like(data, draft.op("Squeeze", there, squeeze_dims=(1,)))


def mean(draft: Draft, data: Value) -> Value | None:
    """The mean over height and width, with their axes or without."""
    if data.layout == "NC":
        return None
    axes = draft.const([data.layout.index(axis) for axis in "HW"], np.int32)
    keep = draft.choose(True, False)
    name = draft.op("Mean", data.name, axes, Tidx=INT, keep_dims=keep)
    return Value(name, data.layout if keep else "NC", 1, 1, data.channels)


def pool(draft: Draft, data: Value) -> Value | None:
    """The largest or the mean of 2 by 2."""
    if data.layout == "NC" or min(data.height, data.width) < 2:
        return None
    size, stride = data.spread(2, 2, 1), draft.choose(1, 2)
    name = draft.op(
        draft.choose("MaxPool", "AvgPool"),
        data.name,
        ksize=size,
        strides=data.spread(stride, stride, 1),
        padding=b"SAME",
        data_format=data.layout.encode(),
    )
    height, width = (_window(size, 2, stride, b"SAME") for size in (data.height, data.width))
    return _like(data, name, height=height, width=width)


def resize(draft: Draft, data: Value) -> Value | None:
    """A resize to the size it has, or to twice the size."""
    factor = draft.choose(1, 2)
    height, width = data.height * factor, data.width * factor
    if data.layout != "NHWC" or max(height, width) > LARGEST:
        return None
    op = draft.choose("ResizeBilinear", "ResizeNearestNeighbor")
    centres = draft.choose({}, {"half_pixel_centers": True}, {"align_corners": True})
    name = draft.op(op, data.name, draft.const([height, width], np.int32), **centres)
    return _like(data, name, height=height, width=width)


def nothing(draft: Draft, data: Value) -> None:
    """No step."""


FRONTS: tuple[Step, ...] = (nothing, pad, transpose, affine, activation, resize, nothing)
LAYERS: tuple[Step, ...] = (conv, depthwise_conv, padded_conv, conv, atrous_conv, depthwise_conv, padded_conv, nothing)
TAILS: tuple[Step, ...] = (fused_norm, bias, affine, decomposed_norm, copy, activation, affine, fused_norm)
ENDS: tuple[Step, ...] = (nothing, activation, join, concat, pool, transpose, reshape_and_back, twice, mean, nothing)


def _block(draft: Draft) -> None:
    """A front, a layer, what follows it, and an end; from one of the last values."""
    back = draft.choose(0, 0, 1, 2)
    value = draft.values[-1 - min(back, len(draft.values) - 1)]
    tail = draft.draw(st.lists(st.sampled_from(TAILS), max_size=4))
    for step in (draft.choose(*FRONTS), draft.choose(*LAYERS), *tail, draft.choose(*ENDS)):
        value = step(draft, value) or value
        if value not in draft.values:
            draft.values.append(value)


@st.composite
def graphs(draw: Callable[..., Any], most: int = 3) -> Graph:
    """A graph of up to ``most`` blocks. Its outputs are the last value and, sometimes, one more."""
    layout = draw(st.sampled_from(("NHWC", "NCHW")))
    draft = Draft(draw, layout, draw(st.integers(1, 4)), draw(st.sampled_from((1, None))))
    for _ in range(draw(st.integers(1, most))):
        _block(draft)
    source = draft.values[0]
    outputs = {draft.op("Identity", source.name): source} if len(draft.values) == 1 else {}
    outputs.update({value.name: value for value in draft.values[1:][-draw(st.integers(1, 2)) :]})
    return Graph(
        draft.nodes,
        (TensorSpec("x", TensorRef("x"), "float32", (draft.batch, *source.shape)),),
        tuple(
            TensorSpec(name, TensorRef(name), "float32", (draft.batch, *value.shape)) for name, value in outputs.items()
        ),
        producer=2000,
    )
