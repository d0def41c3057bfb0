"""The ground of integer kernels in TensorFlow: float32 tensors that hold integers, their rounding and clipping.

A grid is a tensor of integers counted from the zero point, so that padding is 0 and real = scale · integer. Sums of
products stay below 2^24 in practice, so float32 holds them exactly. The arithmetic is that of XNNPACK, which the
runtime uses by default (https://github.com/google/XNNPACK, src/microparams-init.c and src/reference/), and where
XNNPACK has no kernel TFLite's own (https://github.com/google-ai-edge/LiteRT, tflite/kernels/internal/reference/).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tfmobile.graph.model import Array
from tfmobile.quantization.simulation.reading import Operator, Tensor

Grid: TypeAlias = Any
"""A float32 tf.Tensor of integers."""
Adjust: TypeAlias = Callable[[Grid, Array], Grid]
"""Gets a layer's sums with bias, [..., channels], and the real value of 1 in them, [1 or channels]; gives new sums."""

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
SAME = 0


class NotConstantError(Exception):
    """A kernel needs a constant that is computed."""


@dataclass(frozen=True)
class Computed:
    """``grid`` is the output, ``others`` are further ones.

    ``sums``: before rounding and activation, where 1 stands for ``step`` [1 or channels].
    """

    grid: Grid
    sums: Grid | None = None
    step: Array | None = None
    others: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Call:
    """One operator to compute. ``grids``: its inputs, None for those that are not activations.

    ``free``: the first dimension is any number of samples, whatever the .tflite says.
    """

    tf: Any
    operator: Operator
    grids: Sequence[Grid]
    free: bool
    adjust: Adjust | None = None

    @property
    def output(self) -> Tensor:
        return self.operator.outputs[0]

    @property
    def data(self) -> Tensor:
        found = self.operator.inputs[0]
        assert found is not None
        return found

    def optional(self, place: int) -> Array | None:
        """The stored value of an input; None when it is not given or computed."""
        tensor = self.operator.inputs[place] if place < len(self.operator.inputs) else None
        return None if tensor is None else tensor.value

    def constant(self, place: int) -> Array:
        """The stored value of an input; raises NotConstantError."""
        found = self.optional(place)
        if found is None:
            raise NotConstantError
        return found

    def shape(self) -> list[int]:
        """The output's shape, for a Reshape."""
        sizes = list(self.output.shape)
        return [-1, *sizes[1:]] if self.free and sizes else sizes

    def option(self, name: str, default: Any) -> Any:
        return self.operator.options.get(name, default)

    @property
    def activation(self) -> int:
        return int(self.option("fusedActivationFunction", NONE))

    @property
    def strides(self) -> list[int]:
        return [int(self.option("strideH", 1)), int(self.option("strideW", 1))]

    @property
    def padding(self) -> str:
        return "SAME" if self.option("padding", SAME) == SAME else "VALID"


def round_half_even(tf: Any, values: Any) -> Any:
    """What XNNPACK does: the rounding mode of the processor."""
    return tf.round(values)


def round_half_away(tf: Any, values: Any) -> Any:
    """What C's ``round`` does, in TFLite's own kernels. Exact below 2^22."""
    return tf.sign(values) * tf.floor(tf.abs(values) + 0.5)


def round_half_up(tf: Any, values: Any) -> Any:
    """What adding one half and shifting right does."""
    return tf.floor(values + 0.5)


def clipped(tf: Any, grid: Grid, output: Tensor) -> Grid:
    """Clip to what the output's type holds."""
    low, high = output.bounds
    return tf.clip_by_value(grid, np.float32(low), np.float32(high))


def activated(tf: Any, grid: Grid, output: Tensor, activation: int) -> Grid:
    """Clip to what the output's type and the fused activation allow."""
    low, high = output.bounds
    if activation in (RELU, RELU6):
        low = max(low, 0)
    if activation == RELU6:
        high = min(high, int(np.rint(np.float32(6) / output.scale)))
    if activation == RELU_N1_TO_1:
        one = int(np.rint(np.float32(1) / output.scale))
        low, high = max(low, -one), min(high, one)
    return tf.clip_by_value(grid, np.float32(low), np.float32(high))
