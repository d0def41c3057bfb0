"""What a layer reads and should give, position by position, and how that varies together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmobile.graph.match import attr_text
from tfmobile.graph.model import Array, Node

OUTLYING = 25.0
"""Rows whose squared error is so many times the median are not used: they are of broken samples."""


@dataclass(frozen=True)
class Moments:
    """Of rows x [K] and targets y [C], float64; ``groups`` G of channels that read other inputs: 1, but for depthwise.

    ``x`` [G, K] and ``y`` [G, C]: means. ``xx`` [G, K, K] and ``xy`` [G, K, C]: mean products of what lies off them.
    """

    x: Array
    y: Array
    xx: Array
    xy: Array


def moments(x: Array, y: Array) -> Moments:
    """``x`` [G, rows, K] and ``y`` [G, rows, C], float32."""
    mean_x, mean_y = x.mean(axis=1, dtype=np.float64), y.mean(axis=1, dtype=np.float64)
    off_x, off_y = x - mean_x[:, None].astype(np.float32), y - mean_y[:, None].astype(np.float32)
    turned = off_x.swapaxes(1, 2)
    xx, xy = ((turned @ off).astype(np.float64) / x.shape[1] for off in (off_x, off_y))
    return Moments(mean_x, mean_y, xx, xy)


def trusted(x: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """The rows without those that the layer's ``weights`` [G, K, C] give by far another result for than ``y``.

    Their error is that of rounding. Far larger ones are of samples that the quantized model cannot hold: they would
    outweigh all others.
    """
    error = x @ weights.astype(np.float32) - y
    error -= np.median(error, axis=1, keepdims=True)
    np.abs(error, out=error)
    usual = np.median(error, axis=1, keepdims=True)
    # A channel that is the same for most rows tells nothing.
    size = np.square(np.divide(error, usual, out=np.zeros_like(error), where=usual > 0)).mean(axis=(0, 2))
    kept = size <= OUTLYING * np.median(size)
    return x[:, kept], y[:, kept]


@dataclass(frozen=True)
class Windows:
    """How a layer reads its input: windows of ``size`` [2], or rows of ``inputs`` numbers when that is None."""

    size: tuple[int, int] | None
    inputs: int = 0
    strides: tuple[int, int] = (1, 1)
    rates: tuple[int, int] = (1, 1)
    padding: str = "VALID"
    explicit: tuple[int, ...] = ()
    depthwise: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers a position takes."""
        return self.inputs * (self.size[0] * self.size[1] if self.size else 1)

    def rows(self, data: Array, target: Array, count: int, random: np.random.Generator) -> tuple[Array, Array]:
        """Some ``count`` rows at positions drawn anew: x [G, rows, K] and y [G, rows, C]."""
        if self.size is None:
            return _some(data.reshape(-1, self.inputs), target.reshape(-1, target.shape[-1]), count, random)
        samples, height, width, channels = target.shape
        places = random.permutation(height * width)[: max(1, -(-count // samples))]
        y = target.reshape(samples, height * width, channels)[:, places].reshape(-1, channels)
        taps = self._taps(data, (height, width), places)
        if not self.depthwise:
            return taps.reshape(1, len(y), -1), y[None]
        x = taps.reshape(len(y), -1, data.shape[-1]).transpose(2, 0, 1)
        return np.ascontiguousarray(x), y.reshape(len(y), data.shape[-1], -1).transpose(1, 0, 2)

    def _taps(self, data: Array, outside: tuple[int, int], places: Array) -> Array:
        """[samples, places, height, width, channels]."""
        assert self.size is not None
        borders = [self._border(axis, data.shape[1 + axis], outside[axis]) for axis in (0, 1)]
        padded = np.pad(data, [(0, 0), *borders, (0, 0)])
        at = np.divmod(places, outside[1])
        rows, columns = (
            (at[axis] * self.strides[axis])[:, None] + np.arange(self.size[axis]) * self.rates[axis] for axis in (0, 1)
        )
        return padded[:, rows[:, :, None], columns[:, None, :]]

    def _border(self, axis: int, inside: int, outside: int) -> tuple[int, int]:
        assert self.size is not None
        if self.padding == "EXPLICIT":
            return self.explicit[2 + 2 * axis], self.explicit[3 + 2 * axis]
        if self.padding == "VALID":
            return 0, 0
        reach = (outside - 1) * self.strides[axis] + (self.size[axis] - 1) * self.rates[axis] + 1
        total = max(reach - inside, 0)
        return total // 2, total - total // 2


def windows(node: Node, weights: Array) -> Windows:
    """Of a Conv2D, DepthwiseConv2dNative or MatMul, as TensorFlow lays out their weights."""
    if node.op == "MatMul":
        return Windows(None, int(weights.shape[0]))
    return Windows(
        (int(weights.shape[0]), int(weights.shape[1])),
        int(weights.shape[2]),
        _pair(node.attrs, "strides"),
        _pair(node.attrs, "dilations"),
        attr_text(node, "padding", "VALID"),
        tuple(int(size) for size in node.attrs.get("explicit_paddings") or ()),
        node.op == "DepthwiseConv2dNative",
    )


def _pair(attrs: Mapping[str, Any], key: str) -> tuple[int, int]:
    found = attrs.get(key) or (1, 1, 1, 1)
    return int(found[1]), int(found[2])


def _some(x: Array, y: Array, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    if len(x) > count:
        places = random.permutation(len(x))[:count]
        x, y = x[places], y[places]
    return x[None], y[None]
